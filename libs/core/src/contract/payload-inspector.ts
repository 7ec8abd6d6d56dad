import { MillraceError } from '../errors.js';
import type { Class } from './class-shape.js';
import { isReserved } from './reserved-names.js';

/** The largest payload, in bytes of UTF-8 JSON. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** How many levels of objects and arrays a payload may have, itself included. */
export const MAX_PAYLOAD_DEPTH = 64;

/** The name of a property, or the index of an item. */
export type Step = string | number;
export type Path = readonly Step[];

/** A value that JSON does not have, or that says itself what it is in JSON: a Date, a Map, a bigint, ... */
export interface Foreign {
  readonly path: Path;
  readonly value: unknown;
}

/**
 * Inspects a payload before any recursive function of a library does: a cycle or 20,000 levels would end in a RangeError
 * there. It refuses values that no class can bring back from JSON: functions, symbols, NaN and infinities, undefined in arrays.
 */
export class PayloadInspector {
  readonly foreign: Foreign[] = [];
  /** The classes of the objects inside, the payload's own left out. */
  readonly classes = new Set<Class>();
  hasReservedNames = false;
  readonly #where: string;
  readonly #path: Step[] = [];
  #room: number;

  /**
   * @param where what the caller called, for the error: `publish(OrderPlaced)`
   * @param limits the bytes of JSON that it may have at the most; more is refused where that is certain already
   * @throws MillraceError UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE
   */
  constructor(payload: unknown, where: string, limits: { readonly bytes: number }) {
    this.#where = where;
    this.#room = limits.bytes;
    this.#visit(payload);
  }

  #visit(value: unknown): void {
    if (typeof value === 'string') this.#take(value.length + 2);
    else if (value !== null && typeof value === 'object') this.#visitObject(value);
    else if (typeof value === 'bigint') this.#foreign(value);
    else {
      this.#take(1);
      if (typeof value === 'function' || typeof value === 'symbol') throw this.#refused(`a ${typeof value}`);
      if (typeof value === 'number' && !Number.isFinite(value)) throw this.#refused(String(value));
    }
  }

  #visitObject(value: object): void {
    if (this.#path.length >= MAX_PAYLOAD_DEPTH) throw tooDeep(this.#where);
    this.#take(2);
    if (Array.isArray(value) && !hasToJson(value)) this.#visitItems(value);
    else if (isData(value)) this.#visitProperties(value);
    else this.#foreign(value);
  }

  #visitItems(items: readonly unknown[]): void {
    for (let index = 0; index < items.length; index += 1) {
      this.#path.push(index);
      if (items[index] === undefined) throw this.#refused('undefined in an array');
      this.#visit(items[index]);
      this.#path.pop();
    }
  }

  #visitProperties(value: object): void {
    if (this.#path.length > 0) this.#noteClass(Object.getPrototypeOf(value) as Prototype);
    for (const name of Object.keys(value)) {
      const property: unknown = Reflect.get(value, name);
      if (property === undefined) continue;
      this.hasReservedNames ||= isReserved(name);
      this.#take(name.length + 3);
      this.#path.push(name);
      this.#visit(property);
      this.#path.pop();
    }
  }

  #noteClass(prototype: Prototype): void {
    if (prototype === null || prototype === Object.prototype) return;
    if (typeof prototype.constructor === 'function') this.classes.add(prototype.constructor as Class);
  }

  #foreign(value: unknown): void {
    this.foreign.push({ path: [...this.#path], value });
  }

  /** Counts the bytes that the JSON has at the least. */
  #take(bytes: number): void {
    this.#room -= bytes;
    if (this.#room < 0) throw tooLarge(this.#where, `more than ${MAX_PAYLOAD_BYTES}`);
  }

  #refused(what: string): MillraceError {
    return new MillraceError('UNSERIALIZABLE_PAYLOAD', `${this.#where}: ${pathText(this.#path)} is ${what}, which JSON does not have.`);
  }
}

type Prototype = { readonly constructor?: unknown } | null;

/** Objects and instances of classes whose own enumerable properties are all there is to them. */
export function isData(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]' && !hasToJson(value);
}

function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}

/** `lines[2].price`; `the payload` for the whole. */
export function pathText(path: Path): string {
  const text = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return text === '' ? 'the payload' : text.replace(/^\./, '');
}

export function tooLarge(where: string, bytes: string): MillraceError {
  return new MillraceError(
    'PAYLOAD_TOO_LARGE',
    `${where}: the payload has ${bytes} bytes as JSON; ${MAX_PAYLOAD_BYTES} are allowed. Nothing was stored. ` +
      'Store the large part elsewhere and send a reference to it.',
  );
}

function tooDeep(where: string): MillraceError {
  return new MillraceError(
    'UNSERIALIZABLE_PAYLOAD',
    `${where}: the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels, or refers to itself.`,
  );
}
