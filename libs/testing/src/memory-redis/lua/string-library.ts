import { format } from './format.js';
import { regExpOf } from './pattern.js';
import { type LuaFunction, type LuaResult, LuaTable, type LuaValue } from './table.js';
import { first, isTrue, LuaError, numberOf, stringOf } from './values.js';

/** An index from 1, or from the end where it is negative, as one from 0. */
function start(index: number, length: number): number {
  return index < 0 ? Math.max(0, length + index) : Math.max(0, index - 1);
}

/** Where a search begins: not behind the end. */
function beginning(init: LuaValue, text: string): number {
  return init === undefined ? 0 : Math.min(text.length, start(numberOf(init, '#3'), text.length));
}

function sub(text: string, from: number, to: number): string {
  return text.slice(start(from, text.length), Math.max(0, to < 0 ? text.length + to + 1 : to));
}

function capturesOf(found: RegExpExecArray): LuaValue[] {
  return found.length > 1 ? found.slice(1) : [found[0]];
}

function search(text: string, pattern: string, init: LuaValue): RegExpExecArray | null {
  const regExp = regExpOf(pattern);
  regExp.lastIndex = beginning(init, text);
  return regExp.exec(text);
}

const find: LuaFunction = (...[value, what, init, isPlain]) => {
  const [text, pattern] = [stringOf(value, "#1 to 'find'"), stringOf(what, "#2 to 'find'")];
  if (isTrue(isPlain)) {
    const index = text.indexOf(pattern, beginning(init, text));
    return index < 0 ? undefined : [index + 1, index + pattern.length];
  }
  const found = search(text, pattern, init);
  return found ? [found.index + 1, found.index + found[0].length, ...found.slice(1)] : undefined;
};

const match: LuaFunction = (value, what, init) => {
  const found = search(stringOf(value, "#1 to 'match'"), stringOf(what, "#2 to 'match'"), init);
  if (!found) return undefined;
  return found.length === 1 ? found[0] : found.length === 2 ? found[1] : found.slice(1);
};

const gmatch: LuaFunction = (value, what) => {
  const [text, regExp] = [stringOf(value, "#1 to 'gmatch'"), regExpOf(stringOf(what, "#2 to 'gmatch'"))];
  let at = 0;
  return () => {
    if (at > text.length) return undefined;
    regExp.lastIndex = at;
    const found = regExp.exec(text);
    if (!found) return undefined;
    at = found.index + Math.max(1, found[0].length);
    return capturesOf(found);
  };
};

type Replacer = (found: RegExpExecArray) => LuaValue;

function replacerOf(value: LuaValue): Replacer {
  if (typeof value === 'function') return (found) => first(value(...capturesOf(found)));
  if (value instanceof LuaTable) return (found) => value.get(capturesOf(found)[0]);
  const text = stringOf(value, "#3 to 'gsub'");
  return (found) => text.replace(/%(.)/gs, (_, char: string) => (/\d/.test(char) ? referred(found, Number(char)) : char));
}

function referred(found: RegExpExecArray, number: number): string {
  const text = number === 0 || (number === 1 && found.length === 1) ? found[0] : found[number];
  if (text === undefined) throw new LuaError('invalid capture index');
  return text;
}

const gsub: LuaFunction = (...[value, what, by, most]) => {
  const [text, regExp] = [stringOf(value, "#1 to 'gsub'"), regExpOf(stringOf(what, "#2 to 'gsub'"))];
  const [replace, limit] = [replacerOf(by), most === undefined ? text.length + 1 : numberOf(most, "#4 to 'gsub'")];
  let [at, count, result] = [0, 0, ''];
  while (count < limit && at <= text.length) {
    regExp.lastIndex = at;
    const found = regExp.exec(text);
    if (!found) break;
    count += 1;
    const replaced = replace(found);
    // An empty match takes the next character with it.
    const end = found.index + found[0].length;
    const behind = found[0] === '' ? end + 1 : end;
    result += text.slice(at, found.index) + (isTrue(replaced) ? stringOf(replaced, "#3 to 'gsub'") : found[0]) + text.slice(end, behind);
    at = behind;
    if (regExp.sticky) break;
  }
  return [result + text.slice(at), count];
};

const byte: LuaFunction = (value, from = 1, to = from) => {
  const text = sub(stringOf(value, "#1 to 'byte'"), numberOf(from, "#2 to 'byte'"), numberOf(to, "#3 to 'byte'"));
  return text.split('').map((char) => char.charCodeAt(0));
};

function one(name: string, compute: (text: string) => LuaResult): LuaFunction {
  return (value) => compute(stringOf(value, `#1 to '${name}'`));
}

export const stringLibrary: Readonly<Record<string, LuaFunction>> = {
  find, match, gmatch, gsub, byte,
  format: (text, ...values) => format(stringOf(text, "#1 to 'format'"), values),
  sub: (text, from, to = -1) => sub(stringOf(text, "#1 to 'sub'"), numberOf(from, "#2 to 'sub'"), numberOf(to, "#3 to 'sub'")),
  rep: (text, count) => stringOf(text, "#1 to 'rep'").repeat(Math.max(0, numberOf(count, "#2 to 'rep'"))),
  char: (...codes) => String.fromCharCode(...codes.map((code) => numberOf(code, "to 'char'"))),
  len: one('len', (text) => text.length),
  lower: one('lower', (text) => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())),
  upper: one('upper', (text) => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase())),
  reverse: one('reverse', (text) => text.split('').reverse().join('')),
};
