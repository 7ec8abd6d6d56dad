import { lt } from './operators.js';
import { type LuaFunction, LuaTable, type LuaValue } from './table.js';
import { isTrue, LuaError, numberIn, numberOf, stringOf, tableOf, textOf, toNumber, typeName } from './values.js';

type Library = Readonly<Record<string, LuaFunction>>;

const concat: LuaFunction = (...[value, separator = '', from = 1, to]) => {
  const table = tableOf(value, "#1 to 'concat'");
  const end = to === undefined ? table.length : numberOf(to, "#4 to 'concat'");
  const parts: string[] = [];
  for (let i = numberOf(from, "#3 to 'concat'"); i <= end; i += 1) {
    const part = table.get(i);
    if (typeof part !== 'string' && typeof part !== 'number') {
      throw new LuaError(`invalid value (${typeName(part)}) at index ${i} in table for 'concat'`);
    }
    parts.push(textOf(part));
  }
  return parts.join(stringOf(separator, "#2 to 'concat'"));
};

const insert: LuaFunction = (...args) => {
  const table = tableOf(args[0], "#1 to 'insert'");
  if (args.length === 2) table.set(table.length + 1, args[1]);
  else table.splice(numberOf(args[1], "#2 to 'insert'"), args[2]);
  return [];
};

const remove: LuaFunction = (value, index) => {
  const table = tableOf(value, "#1 to 'remove'");
  const place = index === undefined ? table.length : numberOf(index, "#2 to 'remove'");
  return place < 1 || place > table.length ? undefined : table.splice(place);
};

const sort: LuaFunction = (value, compare) => {
  const isBefore = typeof compare === 'function' ? (one: LuaValue, other: LuaValue) => isTrue(firstOf(compare(one, other))) : lt;
  tableOf(value, "#1 to 'sort'").sort((one, other) => (isBefore(one, other) ? -1 : isBefore(other, one) ? 1 : 0));
  return [];
};

function firstOf(result: LuaValue | LuaValue[]): LuaValue {
  return Array.isArray(result) ? result[0] : result;
}

export const tableLibrary: Library = { concat, insert, remove, sort };

function numeric(name: string, compute: (...values: number[]) => number): LuaFunction {
  return (...args) => compute(...args.map((arg, index) => numberOf(arg, `#${index + 1} to '${name}'`)));
}

export const mathLibrary: Library = {
  floor: numeric('floor', (value) => Math.floor(value)),
  ceil: numeric('ceil', (value) => Math.ceil(value)),
  abs: numeric('abs', (value) => Math.abs(value)),
  sqrt: numeric('sqrt', (value) => Math.sqrt(value)),
  fmod: numeric('fmod', (one, other) => one % other),
  max: numeric('max', (...values) => Math.max(...values)),
  min: numeric('min', (...values) => Math.min(...values)),
};

const unpack: LuaFunction = (value, from = 1, to?) => {
  const table = tableOf(value, "#1 to 'unpack'");
  const [first, last] = [numberOf(from, "#2 to 'unpack'"), to === undefined ? table.length : numberOf(to, "#3 to 'unpack'")];
  // As many fit onto the stack of Lua.
  if (last - first >= 8_000) throw new LuaError('too many results to unpack');
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => table.get(first + index));
};

const select: LuaFunction = (which, ...values) => {
  if (which === '#') return values.length;
  const index = numberOf(which, "#1 to 'select'");
  if (index === 0 || index < -values.length) throw new LuaError("bad argument #1 to 'select' (index out of range)");
  return values.slice(index < 0 ? index : index - 1);
};

/** Goes through a table; compiled loops have shorter ways of their own. */
const ipairs: LuaFunction = (value) => {
  const table = tableOf(value, "#1 to 'ipairs'");
  const next: LuaFunction = (_, index) => {
    const following = numberOf(index, '#2') + 1;
    const item = table.get(following);
    return item === undefined ? undefined : [following, item];
  };
  return [next, value, 0];
};

const pairs: LuaFunction = (value) => {
  const rows = tableOf(value, "#1 to 'pairs'").pairs().values();
  return () => rows.next().value;
};

const number: LuaFunction = (value, base) => {
  if (base === undefined || base === 10) return toNumber(value);
  const text = stringOf(value, "#1 to 'tonumber'").trim();
  const digits = numberOf(base, "#2 to 'tonumber'");
  const parsed = Number.parseInt(text, digits);
  return Number.isNaN(parsed) || numberIn(text) === null ? undefined : parsed;
};

export const baseLibrary: Library = {
  unpack, select, ipairs, pairs, tonumber: number,
  tostring: (value) => textOf(value),
  type: (value) => typeName(value),
  rawget: (table, key) => tableOf(table, "#1 to 'rawget'").get(key),
  rawequal: (one, other) => one === other,
  next: (value, key) => {
    const rows = tableOf(value, "#1 to 'next'").pairs();
    return rows[key === undefined ? 0 : rows.findIndex(([each]) => each === key) + 1];
  },
};

export function libraryTable(functions: Library, values: readonly (readonly [string, LuaValue])[] = []): LuaTable {
  const table = new LuaTable();
  for (const [name, value] of [...Object.entries(functions), ...values]) table.set(name, value);
  return table;
}
