import { floatIn, general } from '../numbers.js';
import { LuaTable, type LuaResult, type LuaValue, NULL } from './table.js';

/** An error that Lua itself raises: who catches it sees its line before the text. */
export class LuaError extends Error {}

/** An error that a script raises, with a value of its own. */
export class RaisedError extends Error {
  readonly value: LuaValue;

  constructor(value: LuaValue) {
    super('A script raised an error.');
    this.value = value;
  }
}

export function typeName(value: LuaValue): string {
  if (value === undefined) return 'nil';
  if (value instanceof LuaTable) return 'table';
  return value === NULL ? 'userdata' : typeof value;
}

/** The first of several results. */
export function first(result: LuaResult): LuaValue {
  return Array.isArray(result) ? result[0] : result;
}

export function list(result: LuaResult): LuaValue[] {
  return Array.isArray(result) ? result : [result];
}

export function isTrue(value: LuaValue): boolean {
  return value !== undefined && value !== false;
}

/** As Lua 5.1 writes numbers: `%.14g`. */
export function numberText(value: number): string {
  return general(value, 14);
}

export function textOf(value: LuaValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  if (value === undefined) return 'nil';
  return typeof value === 'boolean' ? String(value) : `${typeName(value)}: 0x0`;
}

/** A number in a text, as strtod reads it. */
export function numberIn(text: string): number | undefined {
  return floatIn(text.replace(/^[ \t-\r]+|[ \t-\r]+$/g, '')) ?? undefined;
}

export function toNumber(value: LuaValue): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? numberIn(value) : undefined;
}

/** The number of an argument. */
export function numberOf(value: LuaValue, place: string): number {
  const number = toNumber(value);
  if (number === undefined) throw new LuaError(`bad argument ${place} (number expected, got ${shownType(value)})`);
  return number;
}

/** The text of an argument. */
export function stringOf(value: LuaValue, place: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  throw new LuaError(`bad argument ${place} (string expected, got ${shownType(value)})`);
}

export function tableOf(value: LuaValue, place: string): LuaTable {
  if (value instanceof LuaTable) return value;
  throw new LuaError(`bad argument ${place} (table expected, got ${shownType(value)})`);
}

function shownType(value: LuaValue): string {
  return value === undefined ? 'no value' : typeName(value);
}
