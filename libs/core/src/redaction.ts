/** It stands in the place of a secret. */
const REDACTED = '[redacted]';

const SECRET = 'passw(?:or)?d|passphrase|pwd|secret|token|authori[sz]ation|cookie|api[-_]?key|private[-_]?key|credential|session[-_]?id';
const SECRET_NAME = new RegExp(`${SECRET}|^(?:pass|auth|cvv|cvc|pin)$`, 'i');

/** Each of them looks at a text once: an error may say anything, and at any length. */
const IN_TEXT: readonly [RegExp, string][] = [
  // As far as the last @ before a slash: a password may hold one.
  [/(:\/\/[^\s/@:]*:)[^\s/]*@/g, `$1${REDACTED}@`],
  [/\b(Bearer|Basic) +[\w.~+/-]+=*/gi, `$1 ${REDACTED}`],
  [new RegExp(`((?:${SECRET})["']?(?:: ?| ?=>? ?)(?=["']))("(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*')`, 'gi'), `$1"${REDACTED}"`],
  // JSON inside JSON: as far as a quote with as many backslashes.
  [new RegExp(`((?:${SECRET})(\\\\+["']): ?\\2)(?:(?!(?<!\\\\)\\2).)*`, 'gi'), `$1${REDACTED}`],
  // A header as it is sent: to the end of its line.
  [/\b((?:proxy-)?authorization|(?:set-)?cookie|x-(?:\w{1,20}-){0,3}(?:key|token|secret)): [^\r\n"'}]+/gi, `$1: ${REDACTED}`],
  [new RegExp(`((?:${SECRET})=)[^\\s&;,"']+`, 'gi'), `$1${REDACTED}`],
];

/** A text without the passwords of URLs, and without the values of anything that has the name of a secret. */
export function redactText(text: string): string {
  return IN_TEXT.reduce((shown, [pattern, instead]) => shown.replace(pattern, instead), text);
}

/** How much of a value is kept. */
export interface ValueBounds {
  readonly depth: number;
  /** In a list or an object. */
  readonly members: number;
  /** In one text, in UTF-16 units. */
  readonly text: number;
  /** In all texts and names together, in UTF-16 units. */
  readonly total: number;
}

/**
 * A value as plain data that JSON can hold: bounded, without secrets, and made only of text, numbers, booleans, lists and plain
 * objects. JSON text is searched, too. Undefined when nothing of the value can be kept.
 *
 * @throws what a getter of the value throws
 */
export function redactValue(value: unknown, bounds: ValueBounds): unknown {
  return new Redaction(bounds).of(value, 0);
}

class Redaction {
  readonly #bounds: ValueBounds;
  #left: number;

  constructor(bounds: ValueBounds) {
    this.#bounds = bounds;
    this.#left = bounds.total;
  }

  of(value: unknown, depth: number): unknown {
    this.#left -= 1;
    if (typeof value === 'string') return this.#text(value, depth);
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
    if (typeof value === 'bigint') return this.#text(String(value), depth);
    if (typeof value !== 'object') return undefined;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    return this.#members(value, depth);
  }

  #members(value: object, depth: number): unknown {
    if (!Array.isArray(value) && !isPlain(value)) return undefined;
    if (depth >= this.#bounds.depth || this.#left <= 0) return '…';
    if (!Array.isArray(value)) return this.#object(value, depth);
    return isSecretPair(value) ? [this.#take(value[0]), REDACTED] : this.#list(value, depth);
  }

  #list(value: readonly unknown[], depth: number): unknown[] {
    const kept = value.slice(0, this.#bounds.members).map((item: unknown) => this.of(item, depth + 1) ?? null);
    return value.length > kept.length ? [...kept, '…'] : kept;
  }

  #object(value: object, depth: number): Record<string, unknown> {
    const names = Object.keys(value);
    const entries = names.slice(0, this.#bounds.members).map((name): [string, unknown] => {
      const member: unknown = Reflect.get(value, name);
      const shown = this.#take(redactClipped(name, this.#bounds.text));
      return [shown, SECRET_NAME.test(name) && member !== undefined ? REDACTED : this.of(member, depth + 1)];
    });
    const kept = Object.fromEntries(entries.filter(([, member]) => member !== undefined));
    return names.length > entries.length ? { ...kept, '…': names.length - entries.length } : kept;
  }

  #text(text: string, depth: number): unknown {
    const json = depth < this.#bounds.depth && text.length <= this.#bounds.total ? objectOf(text) : undefined;
    return json === undefined ? this.#take(redactText(text.slice(0, this.#bounds.text + OVERHANG))) : this.of(json, depth);
  }

  #take(text: string): string {
    const kept = clipText(text, Math.max(0, Math.min(this.#bounds.text, this.#left)));
    this.#left -= kept.length;
    return kept;
  }
}

const NAME = /^\S{1,100}$/;

/** So that a secret that is cut off at the bound is still known as one. */
const OVERHANG = 1_000;

/** A text of any length, without secrets, at most `length` units and a sign that more was there. */
export function redactClipped(text: string, length: number): string {
  return clipText(redactText(text.slice(0, length + OVERHANG)), length);
}

/** Never leaves half of a surrogate pair behind. */
export function clipText(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}…` : text;
}

function objectOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // It only looks like JSON: it is text.
    return undefined;
  }
}

/** Lists of headers, and of a map's entries, have this shape. */
function isSecretPair(value: readonly unknown[]): value is [string, unknown] {
  return value.length === 2 && typeof value[0] === 'string' && NAME.test(value[0]) && SECRET_NAME.test(value[0]);
}

/** No stream, buffer or connection, of which libraries hang many on their errors. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
