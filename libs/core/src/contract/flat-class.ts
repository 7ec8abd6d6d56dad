import { type Class, shapeOf } from './class-shape.js';
import { FlatArguments, FlatForm, type TextWish } from './flat-form.js';
import { isData } from './payload-inspector.js';
import type { UnknownProperties } from './unknown-properties.js';
import { type Check, checksOf, isOfValue } from './validation.js';

/** A class has few kinds of payload: those with a property, those without it. */
const MAX_FORMS = 16;

/**
 * A class of which no instance has to be made to know what would be delivered: it converts nothing, has no members and no
 * defaults, and its rules look at one value each. A payload of text, numbers and booleans needs a single walk then, which reads
 * each value once. Every payload that is not certainly valid goes the whole way, which reports what is wrong.
 */
export class FlatClass {
  readonly #type: Class;
  readonly #checks: readonly Check[];
  /** The newest first. */
  readonly #forms: FlatForm[] = [];

  private constructor(type: Class, checks: readonly Check[]) {
    this.#type = type;
    this.#checks = checks;
  }

  /** Null when the class is none. It is decided once, and anew when a rule turns out to take its time. */
  static of(type: Class): FlatClass | null {
    const found = known.get(type);
    if (found !== undefined && (found === null || found.#checks === checksOf(type))) return found;
    const checks = checksOf(type);
    const made = checks !== null && checks.every(isOfValue) && isBare(type) ? new FlatClass(type, checks) : null;
    known.set(type, made);
    return made;
  }

  /** JSON; null when the payload has to go the whole way. */
  encode(payload: unknown, wish: TextWish): string | null {
    try {
      return this.#isOurs(payload) ? this.#encode(payload, wish) : null;
    } catch {
      // A getter or a rule of the user threw. It throws again in its turn on the whole way.
      return null;
    }
  }

  /** As {@link encode}, with the object that its text would be read back as. */
  plain(payload: unknown, unknownProperties: UnknownProperties): object | null {
    try {
      return this.#isOurs(payload) ? this.#plain(payload, unknownProperties) : null;
    } catch {
      // As in `encode`.
      return null;
    }
  }

  /** An instance of the class with what was stored; null when the payload has to go the whole way. */
  decode(stored: unknown, unknownProperties: UnknownProperties): object | null {
    if (stored === null || typeof stored !== 'object' || Array.isArray(stored)) return null;
    try {
      return this.#formOf(Object.keys(stored)).decode(stored as Record<string, unknown>, unknownProperties);
    } catch {
      // The constructor or a rule is the user's. On the whole way it throws again, in its turn.
      return null;
    }
  }

  #isOurs(payload: unknown): payload is object {
    if (payload === null || typeof payload !== 'object') return false;
    const prototype: unknown = Object.getPrototypeOf(payload);
    return (prototype === Object.prototype || prototype === this.#type.prototype || prototype === null) && isData(payload);
  }

  #encode(payload: object, wish: TextWish): string | null {
    const form = this.#formOf(Object.keys(payload));
    const values = form.valuesOf(payload, new FlatArguments(this.#type, payload), wish.unknownProperties);
    return values && form.encode(values, wish);
  }

  #plain(payload: object, unknownProperties: UnknownProperties): object | null {
    const form = this.#formOf(Object.keys(payload));
    const values = form.valuesOf(payload, new FlatArguments(this.#type, payload), unknownProperties);
    return values && form.plain(values);
  }

  #formOf(names: readonly string[]): FlatForm {
    for (const form of this.#forms) if (form.isOf(names)) return form;
    const form = new FlatForm(this.#type, this.#checks, names);
    this.#forms.unshift(form);
    this.#forms.length = Math.min(this.#forms.length, MAX_FORMS);
    return form;
  }
}

const known = new WeakMap<Class, FlatClass | null>();

/** Whether an instance is no more than its data. */
function isBare(type: Class): boolean {
  const { types, converts } = shapeOf(type);
  return types?.size === 0 && !converts && makesBare(type);
}

/** Rules are found by the constructor of an instance: another one, where a decorator put something in the place of the class. */
function makesBare(type: Class): boolean {
  try {
    const made = new type();
    if (made.constructor !== type || Object.getPrototypeOf(made) !== type.prototype) return false;
    const properties = Object.values(Object.getOwnPropertyDescriptors(made));
    return properties.every((property) => 'value' in property && property.value === undefined);
  } catch {
    // Such a class cannot be delivered; the error is thrown where its instance is made.
    return false;
  }
}
