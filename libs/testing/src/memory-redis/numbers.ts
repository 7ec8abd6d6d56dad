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
  const [mantissa = '', exponentText = '0'] = value.toExponential(digits - 1).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < digits) return withoutZeros(value.toFixed(Math.max(0, digits - 1 - exponent)), value, digits);
  const sign = exponent < 0 ? '-' : '+';
  return `${trimmed(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** `toFixed` gives exact digits up to 100 behind the point and 21 before it, which is more than is asked for. */
function withoutZeros(fixed: string, value: number, digits: number): string {
  return trimmed(fixed.includes('e') ? value.toPrecision(digits) : fixed);
}

function trimmed(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
