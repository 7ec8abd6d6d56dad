import { type Command, type Commands, type Context, grows, reads } from './command.js';
import { integerIn, parseInteger } from './numbers.js';
import { RedisError, type Reply, syntaxError, unsupported } from './reply.js';
import { Text } from './strings.js';

const MOST_BITS = 2 ** 32;
const NO_OFFSET = 'ERR bit offset is not an integer or out of range';
const NO_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.';

function bitOf(value: Text | undefined, offset: number): number {
  return value ? (value.at(Math.floor(offset / 8)) >> (7 - (offset % 8))) & 1 : 0;
}

function setBitOf(value: Text, offset: number, bit: number): void {
  const [index, mask] = [Math.floor(offset / 8), 1 << (7 - (offset % 8))];
  value.set(index, bit === 1 ? value.at(index) | mask : value.at(index) & ~mask);
}

function offsetIn(text: string, width = 0): number {
  const isCounted = width > 0 && text.startsWith('#');
  const offset = integerIn(isCounted ? text.slice(1) : text);
  const bit = (offset ?? -1) * (isCounted ? width : 1);
  if (bit < 0 || bit + width > MOST_BITS || bit >= MOST_BITS) throw new RedisError(NO_OFFSET);
  return bit;
}

function setBit(context: Context, [key, offsetText, bitText]: string[]): Reply {
  const offset = offsetIn(offsetText!);
  if (bitText !== '0' && bitText !== '1') throw new RedisError('ERR bit is not an integer or out of range');
  const value = context.keys.make(key!, Text);
  const before = bitOf(value, offset);
  setBitOf(value, offset, Number(bitText));
  return before;
}

function countBits(context: Context, [key, startText, endText, unit = 'BYTE']: string[]): Reply {
  const value = context.keys.get(key!, Text);
  if (!value) return 0;
  if (startText === undefined) return ones(value, 0, value.length * 8 - 1);
  if (endText === undefined) throw syntaxError();
  const [from, to] = [parseInteger(startText), parseInteger(endText)];
  if (from < 0 && to < 0 && from > to) return 0;
  const size = unitOf(unit);
  const length = value.length * (size === 1 ? 8 : 1);
  const place = (index: number): number => Math.max(0, index < 0 ? length + index : index);
  const [first, last] = [place(from), Math.min(length - 1, place(to))];
  return first > last ? 0 : ones(value, first * size, (last + 1) * size - 1);
}

function unitOf(unit: string): 1 | 8 {
  if (unit.toUpperCase() === 'BIT') return 1;
  if (unit.toUpperCase() === 'BYTE') return 8;
  throw syntaxError();
}

function ones(value: Text, from: number, to: number): number {
  let count = 0;
  for (let bit = from; bit <= to; bit += 1) count += bitOf(value, bit);
  return count;
}

interface FieldStep {
  readonly bits: number;
  readonly offset: number;
  /** Null to read only. */
  readonly value: number | null;
}

/** Numbers of JavaScript hold 53 bits. */
const MOST_EXACT_BITS = 53;

function stepsIn(parts: string[]): FieldStep[] {
  const steps: FieldStep[] = [];
  for (let i = 0; i < parts.length; ) {
    const name = parts[i]!.toUpperCase();
    const size = name === 'GET' ? 3 : name === 'SET' ? 4 : 0;
    if (name === 'INCRBY' || name === 'OVERFLOW') throw unsupported(`BITFIELD ${name}`);
    if (size === 0 || i + size > parts.length) throw syntaxError();
    const bits = bitsOf(parts[i + 1]!);
    steps.push({ bits, offset: offsetIn(parts[i + 2]!, bits), value: size === 4 ? parseInteger(parts[i + 3]!) : null });
    i += size;
  }
  return steps;
}

function bitsOf(type: string): number {
  const bits = integerIn(type.slice(1)) ?? 0;
  const isSigned = type.startsWith('i');
  if ((!isSigned && !type.startsWith('u')) || bits < 1 || bits > (isSigned ? 64 : 63)) throw new RedisError(NO_TYPE);
  if (isSigned || bits > MOST_EXACT_BITS) throw unsupported(`BITFIELD with ${type}`);
  return bits;
}

function numberAt(value: Text | undefined, { bits, offset }: FieldStep): number {
  let number = 0;
  for (let i = 0; i < bits; i += 1) number = number * 2 + bitOf(value, offset + i);
  return number;
}

function write(target: Text, { bits, offset }: FieldStep, value: number): void {
  const whole = 2 ** bits;
  let rest = ((value % whole) + whole) % whole;
  target.grow(Math.floor((offset + bits - 1) / 8) + 1);
  for (let i = bits - 1; i >= 0; i -= 1) {
    setBitOf(target, offset + i, rest % 2);
    rest = Math.floor(rest / 2);
  }
}

const bitField: Command['run'] = (context, [key, ...parts]) => {
  const steps = stepsIn(parts);
  const isRead = steps.every(({ value }) => value === null);
  const target = isRead ? context.keys.get(key!, Text) : context.keys.make(key!, Text);
  return steps.map((step) => {
    const before = numberAt(target, step);
    if (step.value !== null) write(target!, step, step.value);
    return before;
  });
};

export const bitmapCommands: Commands = {
  SETBIT: grows(4, setBit),
  GETBIT: reads(3, (context, [key, text]) => {
    const offset = offsetIn(text!);
    return bitOf(context.keys.get(key!, Text), offset);
  }),
  BITCOUNT: reads(-2, countBits),
  BITFIELD: grows(-2, bitField),
  BITFIELD_RO: reads(-2, (context, args) => {
    if (stepsIn(args.slice(1)).some(({ value }) => value !== null)) throw new RedisError('ERR BITFIELD_RO only supports the GET subcommand');
    return bitField(context, args);
  }),
};
