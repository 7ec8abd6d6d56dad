/**
 * The form of an option outside TypeScript. `moment` is a `Date`, in ISO 8601 outside; `position` is `'earliest'`, `'latest'`,
 * such a moment or `{ "offset": 42 }`; `json` is any other value that is no text.
 */
export type InputKind = 'text' | 'number' | 'boolean' | 'moment' | 'position' | 'json';

type Kinds = Readonly<Record<string, InputKind>>;

type Values = Readonly<Record<string, unknown>>;

const NUMBER = /^-?\d{1,16}(?:\.\d{1,16})?$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * The options in a query string. A value that has not the form of its kind stays the text that it is, as do values of names that
 * are not known: the use case refuses them, in its own words.
 */
export function optionsInQuery(query: Values, kinds: Kinds): Record<string, unknown> {
  return mapped(query, kinds, (value, kind) => (typeof value === 'string' ? READ[kind](value) : value));
}

/** The options in a JSON body, where numbers, booleans and lists are what they are. */
export function optionsInBody(body: Values, kinds: Kinds): Record<string, unknown> {
  return mapped(body, kinds, (value, kind) => (typeof value === 'string' && isTimed(kind) ? momentOr(value) : value));
}

/** The options as a query string has them, without those that are undefined. */
export function queryOf(options: Values): Record<string, string> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, textOf(value)]));
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value instanceof Date ? value.toISOString() : JSON.stringify(value);
}

function mapped(values: Values, kinds: Kinds, read: (value: unknown, kind: InputKind) => unknown): Record<string, unknown> {
  const readOf = (name: string, value: unknown): unknown => (Object.hasOwn(kinds, name) ? read(value, kinds[name]!) : value);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, readOf(name, value)]));
}

const READ: Readonly<Record<InputKind, (text: string) => unknown>> = {
  text: (text) => text,
  number: (text) => (NUMBER.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
  moment: momentOr,
  position: (text) => (text.startsWith('{') ? jsonOr(text) : momentOr(text)),
  json: jsonOr,
};

function isTimed(kind: InputKind): boolean {
  return kind === 'moment' || kind === 'position';
}

function momentOr(text: string): Date | string {
  const moment = new Date(MOMENT.test(text) ? text : Number.NaN);
  return Number.isNaN(moment.getTime()) ? text : moment;
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
