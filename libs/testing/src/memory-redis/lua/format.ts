import { general } from '../numbers.js';
import type { LuaValue } from './table.js';
import { LuaError, numberOf, stringOf } from './values.js';

const DIRECTIVE = /%([-+ #0]*)(\d*)(?:\.(\d*))?(.)/gs;

interface Shape {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | null;
}

/** `string.format` of C. */
export function format(text: string, values: readonly LuaValue[]): string {
  let index = 0;
  return text.replace(DIRECTIVE, (_, ...[flags, width, precision, kind]: [string, string, string | undefined, string]) => {
    if (kind === '%') return '%';
    const shape = { flags, width: Number(width), precision: precision === undefined ? null : Number(precision) };
    return padded(shown(kind, { value: values[index], place: `#${(index += 1) + 1} to 'format'`, shape }), shape, kind);
  });
}

interface Item {
  readonly value: LuaValue;
  readonly place: string;
  readonly shape: Shape;
}

function shown(kind: string, { value, place, shape: { precision } }: Item): string {
  switch (kind) {
    case 's':
      return stringOf(value, place).slice(0, precision ?? undefined);
    case 'd':
    case 'i':
      return BigInt(Math.trunc(numberOf(value, place))).toString();
    case 'x':
      return Math.trunc(numberOf(value, place)).toString(16);
    case 'c':
      return String.fromCharCode(numberOf(value, place));
    case 'f':
      return fixed(numberOf(value, place), precision ?? 6);
    case 'g':
      return general(numberOf(value, place), precision || (precision === null ? 6 : 1));
    default:
      throw new LuaError(`invalid option '%${kind}' to 'format'`);
  }
}

/** More digits than are behind the point of a number that ends in a half. */
const MORE_DIGITS = 60;

/** C rounds a half to the even digit, `toFixed` away from zero. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return general(value, 6);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (Number.isInteger(size) && digits === 0) return sign + (size < 1e21 ? size.toFixed(0) : BigInt(size).toString());
  if (size >= 1e21) return `${sign}${BigInt(size).toString()}.${'0'.repeat(digits)}`;
  const exact = size.toFixed(Math.min(100, digits + MORE_DIGITS));
  const end = exact.indexOf('.') + 1 + digits;
  const isHalf = /^50*$/.test(exact.slice(end));
  const kept = exact.slice(0, end).replace(/\.$/, '');
  return sign + (isHalf && Number(kept.at(-1)) % 2 === 0 ? kept : size.toFixed(digits));
}

function padded(text: string, { flags, width }: Shape, kind: string): string {
  const isNumber = kind !== 's' && kind !== 'c';
  const signed = isNumber && !text.startsWith('-') && flags.includes('+') ? `+${text}` : text;
  if (flags.includes('-')) return signed.padEnd(width);
  if (!isNumber || !flags.includes('0')) return signed.padStart(width);
  const sign = /^[-+]?/.exec(signed)![0];
  return sign + signed.slice(sign.length).padStart(width - sign.length, '0');
}
