import { RedisError } from './reply.js';

const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;
const HEX = /^[+-]?0x[\da-f]+$/i;

export function notAnInteger(): RedisError {
  return new RedisError('ERR value is not an integer or out of range');
}

/** Reads an integer as strictly as Redis does; null for any other text. */
export function integerIn(text: string): number | null {
  if (!INTEGER.test(text)) return null;
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  return BigInt.asIntN(64, BigInt(text)) === BigInt(text) ? value : null;
}

/** @throws RedisError */
export function parseInteger(text: string, message?: string): number {
  const value = integerIn(text);
  if (value === null) throw message === undefined ? notAnInteger() : new RedisError(message);
  return value;
}

/** Reads a number as strtod does, without spaces around it; null for any other text. */
export function floatIn(text: string): number | null {
  if (FLOAT.test(text)) return Number(text);
  const sign = text.startsWith('-') ? -1 : 1;
  if (INFINITE.test(text)) return sign * Number.POSITIVE_INFINITY;
  return HEX.test(text) ? sign * Number(text.replace(/^[+-]/, '')) : null;
}

/** A number as C prints it with `%.<digits>g`. */
export function general(value: number, digits: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e14) return Object.is(value, -0) ? '-0' : String(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '-nan' : value > 0 ? 'inf' : '-inf';
  const [mantissa, exponent] = scientific(Math.abs(value), digits);
  return (value < 0 ? '-' : '') + placed(mantissa, exponent);
}

/** More digits than a number has that ends in a half. */
const ALL_DIGITS = 60;

/** The digits, and the exponent of the first one. C rounds a half to the even digit, JavaScript upwards. */
function scientific(value: number, digits: number): [mantissa: string, exponent: number] {
  const [rounded = '', exponent = ''] = value.toExponential(digits - 1).replace('.', '').split('e');
  const exact = value.toExponential(ALL_DIGITS).replace('.', '');
  const isHalf = /^50*e/.test(exact.slice(digits));
  const isEven = Number(exact[digits - 1]) % 2 === 0;
  return isHalf && isEven ? [exact.slice(0, digits), Number(exact.split('e')[1])] : [rounded, Number(exponent)];
}

function placed(mantissa: string, exponent: number): string {
  if (exponent >= -4 && exponent < mantissa.length) {
    const padded = '0'.repeat(Math.max(0, -exponent)) + mantissa;
    const point = Math.max(0, exponent) + 1;
    return trimmed(`${padded.slice(0, point)}.${padded.slice(point)}`);
  }
  const sign = exponent < 0 ? '-' : '+';
  return `${trimmed(`${mantissa[0]}.${mantissa.slice(1)}`)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Without the zeros behind the point. */
function trimmed(text: string): string {
  return text.replace(/\.?0*$/, '');
}
