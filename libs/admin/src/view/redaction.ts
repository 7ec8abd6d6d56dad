/** It stands in the place of what is redacted. */
const REDACTED = '[redacted]';

const MOST_DEPTH = 100;
/** Values that are looked for in texts, and their length together: the time that this takes follows both. */
const MOST_VALUES = 100;
const MOST_CHARACTERS = 4_000;
/** A shorter value is in many a text by chance: it counts where it stands alone. */
const SHORT = 4;

/** Tells the fields that nobody sees. */
export interface Fields {
  isAt(path: string): boolean;
}

/**
 * Takes fields out of one message: first out of its payload and headers, then their values out of the texts that are made of them
 * or may quote them.
 */
export class Redaction {
  readonly #fields: Fields;
  readonly #paths = new Set<string>();
  readonly #values = new Set<string>();
  #taken = 0;
  #characters = 0;
  /** There are too many values, or they are too long: each text is taken out as a whole. */
  #isTooMuch = false;
  /** Finds the values in a text; null: not made since the last one. */
  #pattern: RegExp | null = null;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  /** The paths of what was taken out; items of lists have the path of their list. */
  get paths(): readonly string[] {
    return [...this.#paths];
  }

  /** The value of a field without the fields in it that nobody sees. JSON in texts is searched, too. */
  field(path: string, value: unknown, depth = 0): unknown {
    if (this.#fields.isAt(path) || depth > MOST_DEPTH) return this.#out(path, value);
    if (typeof value === 'string') return this.#jsonIn(path, value, depth);
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item: unknown) => this.field(path, item, depth + 1));
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, this.field(`${path}.${name}`, part, depth + 1)]));
  }

  /** A text that is made of the message, or may quote it, without the values that were taken out. */
  text(path: string, text: string): string {
    if (this.#values.size === 0 && !this.#isTooMuch) return text;
    const cut = this.#isTooMuch ? REDACTED : text.replace((this.#pattern ??= patternOf(this.#values)), REDACTED);
    if (cut !== text) this.#paths.add(path);
    return cut;
  }

  /** A value whose texts and numbers may quote the message. */
  quote(path: string, value: unknown): unknown {
    if (typeof value === 'string') return this.text(path, value);
    if (typeof value === 'number') return this.text(path, `${value}`) === `${value}` ? value : REDACTED;
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item: unknown) => this.quote(path, item));
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, this.quote(`${path}.${name}`, part)]));
  }

  #jsonIn(path: string, text: string, depth: number): string {
    const json = jsonOf(text);
    if (json === undefined) return text;
    const before = this.#taken;
    const shown = this.field(path, json, depth + 1);
    return this.#taken === before ? text : JSON.stringify(shown);
  }

  #out(path: string, value: unknown): string {
    this.#taken += 1;
    this.#paths.add(path);
    this.#remember(value, 0);
    this.#pattern = null;
    return REDACTED;
  }

  #remember(value: unknown, depth: number): void {
    this.#isTooMuch ||= depth > MOST_DEPTH || this.#values.size > MOST_VALUES;
    if (this.#isTooMuch) return;
    if (typeof value === 'number') this.#values.add(`${value}`);
    if (typeof value === 'string') this.#rememberText(value.trim());
    if (value !== null && typeof value === 'object') for (const part of Object.values(value)) this.#remember(part, depth + 1);
  }

  /** As it is, and as JSON has it. */
  #rememberText(text: string): void {
    if (text === '') return;
    this.#characters += text.length;
    this.#isTooMuch ||= this.#characters > MOST_CHARACTERS;
    if (this.#isTooMuch) return;
    this.#values.add(text).add(JSON.stringify(text).slice(1, -1));
  }
}

/** Finds the values in a text, the longest first. */
function patternOf(values: ReadonlySet<string>): RegExp {
  const literals = [...values].sort((one, other) => other.length - one.length).map(literal);
  return new RegExp(literals.join('|'), 'giu');
}

function literal(value: string): string {
  const escaped = value.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
  return value.length < SHORT ? String.raw`(?<![\p{L}\p{N}])${escaped}(?![\p{L}\p{N}])` : escaped;
}

function jsonOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // It only looks like JSON: it is text.
    return undefined;
  }
}
