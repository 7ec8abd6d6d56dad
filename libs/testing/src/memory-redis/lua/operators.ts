import { stringLibrary } from './string-library.js';
import { LuaTable, type LuaValue } from './table.js';
import { LuaError, numberText, toNumber, typeName } from './values.js';

/** Operators of compiled scripts. Each begins with the case of two numbers, which is the usual one. */

function operands(one: LuaValue, other: LuaValue): [number, number] {
  const [left, right] = [toNumber(one), toNumber(other)];
  if (left !== undefined && right !== undefined) return [left, right];
  throw new LuaError(`attempt to perform arithmetic on a ${typeName(left === undefined ? one : other)} value`);
}

function arithmetic(compute: (one: number, other: number) => number): (one: LuaValue, other: LuaValue) => number {
  return (one, other) => compute(...operands(one, other));
}

const slow = {
  add: arithmetic((one, other) => one + other),
  sub: arithmetic((one, other) => one - other),
  mul: arithmetic((one, other) => one * other),
};

export function add(one: LuaValue, other: LuaValue): number {
  return typeof one === 'number' && typeof other === 'number' ? one + other : slow.add(one, other);
}

export function sub(one: LuaValue, other: LuaValue): number {
  return typeof one === 'number' && typeof other === 'number' ? one - other : slow.sub(one, other);
}

export function mul(one: LuaValue, other: LuaValue): number {
  return typeof one === 'number' && typeof other === 'number' ? one * other : slow.mul(one, other);
}

export const div = arithmetic((one, other) => one / other);
export const mod = arithmetic((one, other) => one - Math.floor(one / other) * other);
export const pow = arithmetic((one, other) => one ** other);

export function neg(value: LuaValue): number {
  return -operands(value, 0)[0];
}

export function len(value: LuaValue): number {
  if (typeof value === 'string' || value instanceof LuaTable) return value.length;
  throw new LuaError(`attempt to get length of a ${typeName(value)} value`);
}

export function cat(one: LuaValue, other: LuaValue): string {
  if (typeof one === 'string' && typeof other === 'string') return one + other;
  return joinable(one) + joinable(other);
}

function joinable(value: LuaValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  throw new LuaError(`attempt to concatenate a ${typeName(value)} value`);
}

/** Texts compare by their bytes. */
export function lt(one: LuaValue, other: LuaValue): boolean {
  if (typeof one === 'number' && typeof other === 'number') return one < other;
  if (typeof one === 'string' && typeof other === 'string') return one < other;
  throw notComparable(one, other);
}

export function le(one: LuaValue, other: LuaValue): boolean {
  if (typeof one === 'number' && typeof other === 'number') return one <= other;
  if (typeof one === 'string' && typeof other === 'string') return one <= other;
  throw notComparable(one, other);
}

function notComparable(one: LuaValue, other: LuaValue): LuaError {
  const [left, right] = [typeName(one), typeName(other)];
  return new LuaError(left === right ? `attempt to compare two ${left} values` : `attempt to compare ${left} with ${right}`);
}

export function get(from: LuaValue, key: LuaValue): LuaValue {
  if (from instanceof LuaTable) return from.get(key);
  if (typeof from === 'string') return typeof key === 'string' ? stringLibrary[key] : undefined;
  throw new LuaError(`attempt to index a ${typeName(from)} value`);
}

export function set(target: LuaValue, key: LuaValue, value: LuaValue): void {
  if (!(target instanceof LuaTable)) throw new LuaError(`attempt to index a ${typeName(target)} value`);
  if (key === undefined || key !== key) throw new LuaError(`table index is ${key === undefined ? 'nil' : 'NaN'}`);
  target.set(key, value);
}

export function missing(name: string): never {
  throw new LuaError(`Script attempted to access nonexistent global variable '${name}'`);
}

/** A limit of a loop. */
export function bound(value: LuaValue, name: string): number {
  const number = toNumber(value);
  if (number === undefined) throw new LuaError(`'for' ${name} must be a number`);
  return number;
}

/** The second value is a note of the line of a call, which is computed after the first. */
export function noted<T>(...[value]: [value: T, line: number]): T {
  return value;
}

export function table(values: LuaValue[], pairs: readonly LuaValue[]): LuaTable {
  const made = new LuaTable(values);
  for (let i = 0; i < pairs.length; i += 2) set(made, pairs[i], pairs[i + 1]);
  return made;
}
