import type { ValidationArguments } from 'class-validator';
import { type Class, shapeOf } from './class-shape.js';
import { declaredOf } from './declared.js';
import { instantiate } from './instantiate.js';
import { scalarJson } from './json-text.js';
import { isReserved } from './reserved-names.js';
import { isData, MAX_PAYLOAD_BYTES } from './survey.js';
import type { UnknownProperties } from './unknown-properties.js';
import { type Check, checksOf, isOfValue, keepsByValue } from './validation.js';

/** What is asked of a payload's text. */
export interface TextWish {
  readonly unknownProperties: UnknownProperties;
  /** With the text that its digest is of. */
  readonly isSorted: boolean;
}

export interface EncodedPayload {
  readonly json: string;
  /** With sorted names, where it was asked for and is at hand. */
  readonly sorted: string | null;
}

/** A property as its class knows it. */
interface Property {
  /** Its name in JSON, with the colon. */
  readonly label: string;
  readonly check: Check | undefined;
}

/**
 * A class of which no instance has to be made to know what would be delivered: it converts nothing, has no members and no
 * defaults, and its rules look at one value each. A payload of text, numbers and booleans needs a single walk then, which reads
 * each value once. All that is not certainly good takes the whole way, which says what is wrong.
 */
export class FlatClass {
  readonly #type: Class;
  readonly #checks: readonly Check[];
  readonly #properties: ReadonlyMap<string, Property>;
  readonly #isJudged: boolean;
  readonly #order = new NameOrder();

  private constructor(type: Class, checks: readonly Check[]) {
    const declared = declaredOf(type, 'given');
    const byName = new Map(checks.map((check) => [check.property, check]));
    const names = [...(declared?.keys() ?? [])].filter((name) => !isReserved(name));
    this.#type = type;
    this.#checks = checks;
    this.#properties = new Map(names.map((name) => [name, { label: `${scalarJson(name)}:`, check: byName.get(name) }]));
    this.#isJudged = declared !== null;
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

  /** Null when the payload has to go the whole way. */
  encode(payload: unknown, wish: TextWish): EncodedPayload | null {
    try {
      return this.#isOurs(payload) ? this.#encode(payload, wish) : null;
    } catch {
      // A getter or a rule of the user's. On the whole way it throws again, in its turn.
      return null;
    }
  }

  #isOurs(payload: unknown): payload is object {
    if (payload === null || typeof payload !== 'object') return false;
    const prototype: unknown = Object.getPrototypeOf(payload);
    return (prototype === Object.prototype || prototype === this.#type.prototype || prototype === null) && isData(payload);
  }

  #encode(payload: object, wish: TextWish): EncodedPayload | null {
    const names = Object.keys(payload);
    const walk = new FlatWalk(this.#type, payload, wish);
    for (const name of names) if (!this.#takes(name, Reflect.get(payload, name), walk)) return null;
    if (walk.checked < this.#checks.length && !this.#mayLack(names, walk)) return null;
    if (isTooLarge(walk.json)) return null;
    return { json: `{${walk.json}}`, sorted: walk.members && this.#sorted(names, walk.members) };
  }

  #takes(name: string, value: unknown, walk: FlatWalk): boolean {
    const property = this.#properties.get(name);
    if (property?.check && !walk.keeps(property.check, value)) return false;
    if (value === undefined) return true;
    const label = property?.label ?? this.#labelOf(name, walk.wish);
    return label !== null && walk.writes(label, value);
  }

  /** As `sortedJson` of the payload has them; null when there are fewer members than names, since one is undefined. */
  #sorted(names: readonly string[], members: readonly string[]): string | null {
    if (names.length !== members.length) return null;
    return `{${this.#order.of(names).map((index) => members[index]).join(',')}}`;
  }

  /** Null for one that may not be there. */
  #labelOf(name: string, { unknownProperties }: TextWish): string | null {
    if ((this.#isJudged && unknownProperties !== 'keep') || isReserved(name)) return null;
    return `${scalarJson(name)}:`;
  }

  #mayLack(names: readonly string[], walk: FlatWalk): boolean {
    return this.#checks.every((check) => names.includes(check.property) || walk.keeps(check, undefined));
  }
}

const known = new WeakMap<Class, FlatClass | null>();

/** Text, numbers but -0, which JSON does not have, booleans and null. */
function isFlat(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  return (typeof value === 'string' && value.length < MAX_PAYLOAD_BYTES) || typeof value === 'boolean' || value === null;
}

/** Whether an instance is no more than its data. */
function isBare(type: Class): boolean {
  const { types, converts } = shapeOf(type);
  return types?.size === 0 && !converts && hasNoDefaults(type);
}

function hasNoDefaults(type: Class): boolean {
  try {
    return Object.values(new type()).every((value) => value === undefined);
  } catch {
    // Such a class cannot be delivered, which is told where its instance is made.
    return false;
  }
}

/** Its braces make two bytes more; no character makes more than three. */
function isTooLarge(members: string): boolean {
  return members.length * 3 + 2 > MAX_PAYLOAD_BYTES && Buffer.byteLength(members) + 2 > MAX_PAYLOAD_BYTES;
}

/** One walk through a payload; it is the arguments of its rules, too. */
class FlatWalk implements ValidationArguments {
  value: unknown;
  property = '';
  constraints: unknown[] = [];
  readonly targetName: string;
  readonly wish: TextWish;
  /** What it wrote so far, without braces. */
  json = '';
  readonly members: string[] | null;
  /** How many checks it asked. */
  checked = 0;
  readonly #type: Class;
  readonly #payload: object;
  #object: object | null = null;

  constructor(type: Class, payload: object, wish: TextWish) {
    this.targetName = type.name;
    this.wish = wish;
    this.members = wish.isSorted ? [] : null;
    this.#type = type;
    this.#payload = payload;
  }

  /** Few rules ask for it: it is made for them alone. */
  get object(): object {
    return (this.#object ??= instantiate(this.#type, JSON.parse(JSON.stringify(this.#payload)) as object));
  }

  keeps(check: Check, value: unknown): boolean {
    this.checked += 1;
    this.value = value;
    this.property = check.property;
    return keepsByValue(check, this, this.#type);
  }

  /** @returns whether it could */
  writes(label: string, value: unknown): boolean {
    if (!isFlat(value)) return false;
    const member = label + scalarJson(value);
    this.json += this.json === '' ? member : `,${member}`;
    this.members?.push(member);
    return true;
  }
}

/** The places of names in their sorted order: those of one list after the other are mostly the same. */
class NameOrder {
  #names: readonly string[] = [];
  #order: readonly number[] = [];

  of(names: readonly string[]): readonly number[] {
    if (names.length !== this.#names.length || names.some((name, index) => name !== this.#names[index])) {
      this.#names = names;
      this.#order = names.map((_, index) => index).sort((one, other) => (names[one]! < names[other]! ? -1 : 1));
    }
    return this.#order;
  }
}
