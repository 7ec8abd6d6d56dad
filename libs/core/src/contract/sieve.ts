import { nearest } from '../options/nearest.js';
import { escapeUnseen } from '../names.js';
import { type Class, exposedNames, isExcluded } from './class-shape.js';
import { declaredOf, type DeclaredProperty, type Form, FREE } from './declared.js';
import { isData, MAX_PAYLOAD_DEPTH, type Path, pathText, type Step } from './payload-inspector.js';

/** A property that its class does not declare. */
export interface Undeclared {
  readonly path: Path;
  /** The class that does not declare it. */
  readonly type: Class;
}

export interface Sifted {
  /** The payload without them: itself when there are none, otherwise a copy that shares the parts without any. */
  readonly declared: object;
  readonly undeclared: readonly Undeclared[];
  /** An object has a `toJSON`: its JSON was not inspected. */
  readonly saysItself: boolean;
}

/** Tells the properties that the class declares from others. */
export function sift(type: Class, payload: object, form: Form): Sifted {
  const sieve = new Sieve(form);
  const declared = sieve.visitObject(type, payload);
  return { declared, undeclared: sieve.undeclared, saysItself: sieve.saysItself };
}

const MAX_PATH = 200;

/** `lines[0].colour is not declared by Line: did you mean 'color'?` */
export function undeclaredProblem({ path, type }: Undeclared): string {
  const name = String(path.at(-1));
  const renamed = exposedNames(type).find(([exposed]) => exposed === name)?.[1];
  const near = renamed ?? nearest(name, [...(declaredOf(type, 'given')?.keys() ?? [])]);
  const guess = near === null || name.length > MAX_PATH ? '' : `: did you mean '${near}'?`;
  return `${escapeUnseen(pathText(path).slice(0, MAX_PATH))} is not declared by ${type.name}${guess}`;
}

const GONE = Symbol('gone');

interface Expected {
  readonly declared: ReadonlyMap<string, DeclaredProperty>;
  readonly discriminator: string | undefined;
}

class Sieve {
  readonly undeclared: Undeclared[] = [];
  saysItself = false;
  readonly #form: Form;
  readonly #path: Step[] = [];

  constructor(form: Form) {
    this.#form = form;
  }

  visitObject(type: Class, value: object, discriminator?: string): object {
    const declared = declaredOf(type, this.#form);
    // Deeper is refused elsewhere.
    if (declared === null || this.#path.length >= MAX_PAYLOAD_DEPTH) return value;
    if (isData(value)) return this.#visitProperties(type, value, { declared, discriminator });
    this.saysItself ||= typeof (value as { toJSON?: unknown }).toJSON === 'function';
    return value;
  }

  #visitProperties(type: Class, value: object, { declared, discriminator }: Expected): object {
    let changes: Map<string, unknown> | null = null;
    for (const name of Object.keys(value)) {
      const property = declared.get(name);
      if (property === FREE) continue;
      const inner: unknown = Reflect.get(value, name);
      if (!property && (inner === undefined || name === discriminator || isExcluded(value, name))) continue;
      const kept = property ? this.#visitProperty(name, property, { value: inner, owner: value }) : this.#gone(name, type);
      if (kept !== inner) (changes ??= new Map<string, unknown>()).set(name, kept);
    }
    return changes === null ? value : changed(value, changes);
  }

  #gone(name: string, type: Class): symbol {
    this.undeclared.push({ path: [...this.#path, name], type });
    return GONE;
  }

  #visitProperty(step: Step, property: DeclaredProperty, { value, owner }: { value: unknown; owner: object }): unknown {
    if (property.classOf === null || value === null || typeof value !== 'object') return value;
    this.#path.push(step);
    const kept = this.#visitValue(property, value, owner);
    this.#path.pop();
    return kept;
  }

  #visitValue(property: DeclaredProperty, value: object, owner: object): unknown {
    if (Array.isArray(value)) return this.#visitItems(property, value, owner);
    if (value instanceof Set) return this.#visitSet(property, value, owner);
    if (value instanceof Map) return this.#visitMap(property, value, owner);
    if (!property.isMap) return this.visitObject(property.classOf!(value, owner), value, property.discriminator);
    const entries = new Map(Object.entries(value));
    const kept = this.#visitMap(property, entries, owner);
    return kept === entries ? value : Object.fromEntries(kept);
  }

  #visitItems(property: DeclaredProperty, items: readonly unknown[], owner: object): readonly unknown[] {
    let kept: unknown[] | null = null;
    for (let index = 0; index < items.length; index += 1) {
      const item = this.#visitProperty(index, property, { value: items[index], owner });
      if (item !== items[index]) (kept ??= [...items])[index] = item;
    }
    return kept ?? items;
  }

  #visitSet(property: DeclaredProperty, set: ReadonlySet<unknown>, owner: object): ReadonlySet<unknown> {
    const items = [...set];
    const kept = this.#visitItems(property, items, owner);
    return kept === items ? set : new Set(kept);
  }

  #visitMap<Key>(property: DeclaredProperty, map: ReadonlyMap<Key, unknown>, owner: object): ReadonlyMap<Key, unknown> {
    const item = { ...property, isMap: false };
    let kept: Map<Key, unknown> | null = null;
    for (const [key, value] of map) {
      const inner = this.#visitProperty(String(key), item, { value, owner });
      if (inner !== value) (kept ??= new Map(map)).set(key, inner);
    }
    return kept ?? map;
  }
}

/** A copy of the same class; what is not named is shared. */
function changed(value: object, changes: ReadonlyMap<string, unknown>): object {
  const properties = Object.getOwnPropertyDescriptors(value) as Record<string, PropertyDescriptor>;
  for (const [name, kept] of changes) {
    if (kept === GONE) Reflect.deleteProperty(properties, name);
    else properties[name] = { value: kept, writable: true, enumerable: true, configurable: true };
  }
  return Object.create(Object.getPrototypeOf(value) as object | null, properties) as object;
}
