import { numberIn, numberText, LuaError, textOf, typeName } from './values.js';
import { LuaTable, type LuaValue, NULL } from './table.js';
import { toBytes } from '../bytes.js';

/** `cjson` as Redis has it: it takes numbers that JSON does not know, and raw control characters within texts. */

const DEEPEST = 1_000;
const NUMBER = /[-+]?(?:0x[\da-f]+|inf(?:inity)?|nan|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)/iy;
const SPACE = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\0]*/y;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

class Decoder {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  decode(): LuaValue {
    const value = this.#value();
    this.#skip();
    if (this.#at < this.#text.length) throw this.#unexpected('the end');
    return value;
  }

  #value(): LuaValue {
    this.#skip();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#nested(() => this.#object());
      case '[':
        return this.#nested(() => this.#list());
      case '"':
        return this.#string();
      default:
        return this.#literal();
    }
  }

  #nested(read: () => LuaTable): LuaTable {
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw new LuaError('Found too many nested data structures (1001)');
    this.#at += 1;
    const table = read();
    this.#depth -= 1;
    return table;
  }

  #object(): LuaTable {
    const table = new LuaTable();
    if (this.#takes('}')) return table;
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] !== '"') throw this.#unexpected('object key string');
      const key = this.#string();
      if (!this.#takes(':')) throw this.#unexpected('colon');
      // An object keeps its keys as texts, also those that look like numbers.
      table.set(key, this.#value());
      if (this.#takes('}')) return table;
      if (!this.#takes(',')) throw this.#unexpected('comma or object end');
    }
  }

  #list(): LuaTable {
    const values: LuaValue[] = [];
    if (this.#takes(']')) return new LuaTable();
    for (;;) {
      values.push(this.#value());
      if (this.#takes(']')) return new LuaTable(values);
      if (!this.#takes(',')) throw this.#unexpected('comma or array end');
    }
  }

  #string(): string {
    let result = '';
    this.#at += 1;
    for (;;) {
      result += this.#match(PLAIN) ?? '';
      const char = this.#text[this.#at];
      this.#at += 1;
      if (char === '"') return result;
      if (char !== '\\') throw this.#unexpected('value', 'unexpected end of string');
      result += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    this.#at += 1;
    const plain = ESCAPES[letter];
    if (plain !== undefined) return plain;
    if (letter !== 'u') throw this.#unexpected('value', 'invalid escape code');
    let unit = this.#unit();
    if (unit >= 0xdc00 && unit <= 0xdfff) throw this.#unexpected('value', 'invalid unicode escape code');
    if (unit < 0xd800 || unit > 0xdbff) return toBytes(String.fromCharCode(unit));
    const high = unit;
    if (this.#text.slice(this.#at, this.#at + 2) !== '\\u') throw this.#unexpected('value', 'invalid unicode escape code');
    this.#at += 2;
    unit = this.#unit();
    if (unit < 0xdc00 || unit > 0xdfff) throw this.#unexpected('value', 'invalid unicode escape code');
    return toBytes(String.fromCharCode(high, unit));
  }

  #unit(): number {
    const digits = this.#text.slice(this.#at, this.#at + 4);
    if (!/^[\da-f]{4}$/i.test(digits)) throw this.#unexpected('value', 'invalid unicode escape code');
    this.#at += 4;
    return Number.parseInt(digits, 16);
  }

  #literal(): LuaValue {
    const rest = this.#text.slice(this.#at, this.#at + 5);
    for (const [word, value] of [['null', NULL], ['true', true], ['false', false]] as const) {
      if (!rest.startsWith(word)) continue;
      this.#at += word.length;
      return value;
    }
    const number = this.#match(NUMBER);
    if (!number) throw this.#unexpected('value');
    return /nan/i.test(number) ? Number.NaN : numberIn(number);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #skip(): void {
    this.#match(SPACE);
  }

  #takes(char: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #unexpected(wanted: string, found = this.#at < this.#text.length ? 'invalid token' : 'T_END'): LuaError {
    return new LuaError(`Expected ${wanted} but found ${found} at character ${this.#at + 1}`);
  }
}

export function decode(text: string): LuaValue {
  return new Decoder(text).decode();
}

// eslint-disable-next-line no-control-regex -- JSON escapes control characters
const ESCAPED = /["\\/\0-\x1f\x7f]/g;
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"', '\\': '\\\\', '/': '\\/', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t',
};

function quoted(text: string): string {
  const shown = text.replace(ESCAPED, (char) => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${shown}"`;
}

export function encode(value: LuaValue, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      if (!Number.isFinite(value)) throw new LuaError('Cannot serialise number: must not be NaN or Inf');
      return numberText(value);
    case 'boolean':
      return String(value);
    default:
      if (value === NULL || value === undefined) return 'null';
      if (!(value instanceof LuaTable)) throw new LuaError(`Cannot serialise ${typeName(value)}: type not supported`);
      return encodeTable(value, depth + 1);
  }
}

/** A table of whole keys from 1 on is a list, as long as most of its items are there. */
function encodeTable(table: LuaTable, depth: number): string {
  if (depth > DEEPEST) throw new LuaError('Cannot serialise, excessive depth (1001)');
  const rows = table.pairs();
  const highest = rows.reduce((most, [key]) => (typeof key === 'number' && Number.isInteger(key) && key > 0 ? Math.max(most, key) : Number.NaN), 0);
  if (highest > 0) {
    if (highest > 10 && highest > rows.length * 2) throw new LuaError('Cannot serialise table: excessively sparse array');
    return `[${Array.from({ length: highest }, (_, index) => encode(table.get(index + 1), depth)).join(',')}]`;
  }
  return `{${rows.map(([key, item]) => `${quotedKey(key)}:${encode(item, depth)}`).join(',')}}`;
}

function quotedKey(key: LuaValue): string {
  if (typeof key === 'string' || typeof key === 'number') return quoted(textOf(key));
  throw new LuaError('Cannot serialise table: table key must be a number or string');
}
