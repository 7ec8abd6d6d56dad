import type { ValidationArguments } from 'class-validator';
import type { Class } from './class-shape.js';
import { declaredOf } from './declared.js';
import { instantiate } from './instantiate.js';
import { isReserved } from './reserved-names.js';
import { MAX_PAYLOAD_BYTES } from './payload-inspector.js';
import type { UnknownProperties } from './unknown-properties.js';
import { type Check, keepsByValue } from './validation.js';

/** The requirements for a payload's text. */
export interface TextWish {
  readonly unknownProperties: UnknownProperties;
  /** Whether names are sorted, so that equal payloads have equal text. */
  readonly isSorted: boolean;
}

type Values = Readonly<Record<string, unknown>>;

/** A control character is written as `\u001f`. */
const MOST_BYTES_A_CHARACTER = 6;
/** Quotes, a colon, a comma, and a number of as many digits as numbers have. */
const MOST_BESIDE_NAME = 30;

/** The relation of a property's name to its class. */
type Standing = 'declared' | 'undeclared' | 'reserved';

/** Payloads of one class that have the same properties in the same order: all that their names decide is decided once. */
export class FlatForm {
  readonly #type: Class;
  readonly #names: readonly string[];
  readonly #standings: readonly Standing[];
  readonly #hasReserved: boolean;
  /** All of them, in their order. */
  readonly #all: readonly Check[];
  readonly #checks: readonly (Check | undefined)[];
  /** Checks of properties that are not there. */
  readonly #absent: readonly Check[];
  /** Filled anew for each payload, which makes no garbage: nobody else's code runs before it is written. */
  readonly #record: Record<string, unknown>;
  readonly #sorted: Record<string, unknown>;
  /** So many at the most in the text of a payload, but for those of its strings. */
  readonly #characters: number;

  constructor(type: Class, checks: readonly Check[], names: readonly string[]) {
    const declared = declaredOf(type, 'given');
    this.#type = type;
    this.#names = names;
    this.#standings = names.map((name) => (isReserved(name) ? 'reserved' : !declared || declared.has(name) ? 'declared' : 'undeclared'));
    this.#hasReserved = names.some(isReserved);
    this.#all = checks;
    this.#checks = names.map((name) => checks.find(({ property }) => property === name));
    this.#absent = checks.filter(({ property }) => !names.includes(property));
    this.#record = recordOf(names);
    this.#sorted = recordOf([...names].sort());
    this.#characters = names.join('').length + names.length * MOST_BESIDE_NAME;
  }

  isOf(names: readonly string[]): boolean {
    const own = this.#names;
    if (names.length !== own.length) return false;
    for (let index = 0; index < own.length; index += 1) if (names[index] !== own[index]) return false;
    return true;
  }

  /** The values of a payload, in the order of their names; null when it has to go the whole way. */
  valuesOf(payload: object, args: FlatArguments, unknownProperties: UnknownProperties): unknown[] | null {
    const values = new Array<unknown>(this.#names.length);
    for (let index = 0; index < values.length; index += 1) {
      const value: unknown = Reflect.get(payload, this.#names[index]!);
      // Before its rules: they must not meet an object of the caller, which they may change.
      if (value !== undefined && !(isFlat(value) && this.#mayHave(index, unknownProperties))) return null;
      const check = this.#checks[index];
      if (check && !this.#keeps(check, value, args)) return null;
      values[index] = value;
    }
    return this.#absent.every((check) => this.#keeps(check, undefined, args)) ? values : null;
  }

  /** Null when it is too large. */
  encode(values: readonly unknown[], { isSorted }: TextWish): string | null {
    const json = this.#written(isSorted ? this.#sorted : this.#record, values);
    return json.length * 3 > MAX_PAYLOAD_BYTES && Buffer.byteLength(json) > MAX_PAYLOAD_BYTES ? null : json;
  }

  /** As {@link encode}, with the object that its text would be read back as, and no text; null when it may be too large, too. */
  plain(values: readonly unknown[]): object | null {
    const plain: Record<string, unknown> = {};
    let characters = this.#characters;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index];
      if (value === undefined) continue;
      plain[this.#names[index]!] = value;
      if (typeof value === 'string') characters += value.length;
    }
    return characters * MOST_BYTES_A_CHARACTER > MAX_PAYLOAD_BYTES ? null : plain;
  }

  /** An instance with what was stored but the properties that go; null when the payload has to go the whole way. */
  decode(stored: Values, unknownProperties: UnknownProperties): object | null {
    if (!this.#isFlat(stored)) return null;
    const instance = new this.#type() as Record<string, unknown>;
    for (let index = 0; index < this.#names.length; index += 1) {
      const name = this.#names[index]!;
      if (this.#mayHave(index, unknownProperties)) instance[name] = stored[name];
    }
    return this.#isGood(instance) ? instance : null;
  }

  #isFlat(stored: Values): boolean {
    if (this.#hasReserved) return false;
    for (const name of this.#names) if (!isFlat(stored[name])) return false;
    return true;
  }

  /** The rules get the very instance that is delivered, in their order: some change it, and some look at what was left out. */
  #isGood(instance: Values): boolean {
    if (instance.constructor !== this.#type) return false;
    const args = new FlatArguments(this.#type, instance, instance);
    for (const check of this.#all) if (!this.#keeps(check, instance[check.property], args)) return false;
    return true;
  }

  #written(record: Record<string, unknown>, values: readonly unknown[]): string {
    for (let index = 0; index < values.length; index += 1) record[this.#names[index]!] = values[index];
    return JSON.stringify(record);
  }

  #mayHave(index: number, unknownProperties: UnknownProperties): boolean {
    const standing = this.#standings[index];
    return standing === 'declared' || (standing === 'undeclared' && unknownProperties === 'keep');
  }

  #keeps(check: Check, value: unknown, args: FlatArguments): boolean {
    args.value = value;
    args.property = check.property;
    return keepsByValue(check, args, this.#type);
  }
}

const NO_CONSTRAINTS: unknown[] = [];

/** Few rules ask for the object. On the way out it is made for them alone. */
export class FlatArguments implements ValidationArguments {
  value: unknown;
  property = '';
  /** Set before each rule. */
  constraints: unknown[] = NO_CONSTRAINTS;
  readonly targetName: string;
  readonly #type: Class;
  readonly #payload: object;
  #object: object | null;

  /** @param object the instance that would be delivered, where it is made already */
  constructor(type: Class, payload: object, object: object | null = null) {
    this.targetName = type.name;
    this.#type = type;
    this.#payload = payload;
    this.#object = object;
  }

  get object(): object {
    return (this.#object ??= instantiate(this.#type, JSON.parse(JSON.stringify(this.#payload)) as object));
  }
}

/** Reserved names stay out: some would set its prototype, and no payload that has them is written by it. */
function recordOf(names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** Text, numbers but -0, which JSON does not have, booleans and null. */
function isFlat(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  return (typeof value === 'string' && value.length < MAX_PAYLOAD_BYTES) || typeof value === 'boolean' || value === null;
}
