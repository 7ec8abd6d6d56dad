import { isDeepStrictEqual } from 'node:util';
import { type Change, kindOf } from './change.js';
import { membersOf } from './class-members.js';
import { isReserved } from './reserved-names.js';
import type { PayloadClass } from './topic.js';
import { isData, type Step } from './payload-inspector.js';

/** A change, and whether a `@Transform` of the class makes it. */
export interface Difference extends Change {
  readonly isTransformed: boolean;
}

export interface Compared {
  /** As JSON: taken in the place of objects with a `toJSON`. */
  readonly stored?: unknown;
  /** Whether class-transformer was asked, which may leave properties out. */
  readonly mayLeaveOut: boolean;
  /** Whether a property of a class has a `@Transform`. */
  readonly isTransformed: (type: PayloadClass, property: string) => boolean;
}

/**
 * Compares the given payload with the one that would be delivered. These count as equal: a property that is undefined, for which
 * the class may have a default; the sign of zero; objects of different classes; the text of a moment and its Date. Names that
 * every object has are passed over: their values are delivered as they are stored.
 */
export function differencesOf(given: unknown, delivered: unknown, compared: Compared): Difference[] {
  const comparison = new Comparison(compared);
  comparison.visit({ given, delivered, stored: compared.stored });
  return comparison.differences;
}

interface Owners {
  readonly given: object;
  readonly delivered: object;
  readonly stored: unknown;
}

interface Trio {
  readonly given: unknown;
  readonly delivered: unknown;
  readonly stored: unknown;
}

type AnyMap = ReadonlyMap<unknown, unknown>;

class Comparison {
  readonly differences: Difference[] = [];
  readonly #compared: Compared;
  readonly #path: Step[] = [];
  #transformsAbove = 0;

  constructor(compared: Compared) {
    this.#compared = compared;
  }

  visit(trio: Trio): void {
    const { given, delivered } = trio;
    if (given === undefined || given === delivered) return;
    if (typeof given !== 'object' || typeof delivered !== 'object' || given === null || delivered === null) {
      if (!isMomentOf(given, delivered)) this.#note(trio);
    } else if (kindOf(given) !== kindOf(delivered)) this.#note(trio);
    else this.#visitSameKind(given, delivered, trio.stored);
  }

  #visitSameKind(given: object, delivered: object, stored: unknown): void {
    if (given instanceof Date && delivered instanceof Date) this.#expect(isOneTime, { given, delivered, stored });
    else if (given instanceof Map && delivered instanceof Map) this.#visitMaps(given, delivered, stored);
    else if (given instanceof Set && delivered instanceof Set) this.#visitItems([...given], [...delivered], stored);
    else if (Array.isArray(given) && Array.isArray(delivered)) this.#visitItems(given, delivered, stored);
    else if (isData(given)) this.#visitProperties(given, delivered, stored);
    else if (!saysItself(given)) this.#expect(isDeepStrictEqual, { given, delivered, stored });
    else if (saysItself(delivered)) this.#expect(isOneText, { given, delivered, stored });
    else this.visit({ given: stored, delivered, stored });
  }

  #visitMaps(given: AnyMap, delivered: AnyMap, stored: unknown): void {
    if (given.size !== delivered.size || ![...given.keys()].every((key) => delivered.has(key))) {
      this.#note({ given, delivered, stored });
      return;
    }
    for (const [key, value] of given) this.#visitPart(String(key), { given, delivered, stored }, value);
  }

  #visitItems(given: readonly unknown[], delivered: readonly unknown[], stored: unknown): void {
    if (given.length !== delivered.length) this.#note({ given, delivered, stored });
    else given.forEach((item, index) => this.#visitPart(index, { given, delivered, stored }, item));
  }

  #visitProperties(given: object, delivered: object, stored: unknown): void {
    const type = classOf(delivered);
    const owners = { given, delivered, stored };
    for (const name of Object.keys(given)) {
      if (!isReserved(name) && !isComputed(name, delivered, type)) this.#visitProperty(name, owners, type);
    }
    if (type === null || isPlain(given)) return;
    for (const name of membersOf(type).stateful) {
      if (!Object.hasOwn(given, name) && name in given) this.#visitProperty(name, owners, type);
    }
  }

  #visitProperty(name: string, owners: Owners, type: PayloadClass | null): void {
    const { given, delivered } = owners;
    if (this.#compared.mayLeaveOut && Reflect.get(delivered, name) === undefined) return;
    const transforms = type !== null && this.#compared.isTransformed(type, name) ? 1 : 0;
    this.#transformsAbove += transforms;
    this.#visitPart(name, owners, Reflect.get(given, name));
    this.#transformsAbove -= transforms;
  }

  #visitPart(step: Step, owners: Owners, given: unknown): void {
    this.#path.push(step);
    this.visit({ given, delivered: partOf(owners.delivered, step), stored: partOf(owners.stored, step) });
    this.#path.pop();
  }

  #expect(isSame: (given: unknown, delivered: unknown) => boolean, trio: Trio): void {
    if (!isSame(trio.given, trio.delivered)) this.#note(trio);
  }

  #note({ given, delivered }: Trio): void {
    this.differences.push({ path: [...this.#path], given, delivered, isTransformed: this.#transformsAbove > 0 });
  }
}

function isOneTime(given: unknown, delivered: unknown): boolean {
  return Object.is((given as Date).getTime(), (delivered as Date).getTime());
}

function isOneText(given: unknown, delivered: unknown): boolean {
  return JSON.stringify(given) === JSON.stringify(delivered);
}

function saysItself(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}

/** The part that stands in the place of a step, in data as in collections. */
export function partOf(owner: unknown, step: Step): unknown {
  if (owner === null || typeof owner !== 'object') return undefined;
  if (owner instanceof Map) return owner.get(step) as unknown;
  return Reflect.get(owner instanceof Set ? [...owner] : owner, step) as unknown;
}

/** The class computes it, whatever the data says. */
function isComputed(name: string, delivered: object, type: PayloadClass | null): boolean {
  return type !== null && !Object.hasOwn(delivered, name) && membersOf(type).computed.has(name);
}

/** Null for a plain object. */
function classOf(value: object): PayloadClass | null {
  return isPlain(value) ? null : (Object.getPrototypeOf(value) as { constructor: PayloadClass }).constructor;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** A day alone, which is one in UTC, or a time with its zone. */
const ISO_MOMENT = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3}0*)?)?(?:Z|[+-]\d\d:\d\d))?$/;

/**
 * Whether a text is the ISO 8601 form of a Date, the same wherever it is read: without a zone it would mean another moment in
 * another place, finer than milliseconds it would be cut, and 30 February would become 2 March.
 */
function isMomentOf(text: unknown, date: unknown): boolean {
  if (typeof text !== 'string' || !(date instanceof Date) || Number.isNaN(date.getTime())) return false;
  if (date.toISOString() === text) return true;
  const day = ISO_MOMENT.exec(text)?.[1];
  return day !== undefined && new Date(text).getTime() === date.getTime() && new Date(day).toISOString().startsWith(day);
}
