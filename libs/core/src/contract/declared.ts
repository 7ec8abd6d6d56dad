import type { TypeMetadata } from 'class-transformer';
import { getMetadataStorage } from 'class-validator';
import { membersOf } from './class-members.js';
import { type Class, CONVERTED, decoratedNames, exposedNames, isDynamic, isStorageReadable, lineOf, propertiesOf, typeIn } from './class-shape.js';

/** A property that a class declares. */
export interface DeclaredProperty {
  /** The class of an object in it; null: anything may be inside. */
  readonly classOf: ((value: object, owner: object) => Class) | null;
  /** The values of a Map are stored as the properties of an object. */
  readonly isMap: boolean;
  /** The property of the value that distinguishes its subtypes. */
  readonly discriminator: string | undefined;
}

type Declared = ReadonlyMap<string, DeclaredProperty>;

/** A payload as it is published, or as it is stored, where `@Expose` gives properties other names. */
export type Form = 'given' | 'stored';

const known = { given: new WeakMap<Class, Declared | null>(), stored: new WeakMap<Class, Declared | null>() };

/** The properties of a class by the names that they have in a form; null when it has not a single rule. */
export function declaredOf(type: Class, form: Form): Declared | null {
  const declared = known[form].get(type);
  if (declared !== undefined) return declared;
  const read = readDeclared(type, form);
  known[form].set(type, read);
  return read;
}

function readDeclared(type: Class, form: Form): Declared | null {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
  if (rules.length === 0 || !isStorageReadable()) return null;
  const { computed, stateful } = membersOf(type);
  const ruled = rules.map(({ propertyName }) => propertyName);
  const names = new Set([...ruled, ...decoratedNames(type), ...initialised(type), ...computed, ...stateful]);
  const types = new Map(lineOf(type).reverse().flatMap(propertiesOf).map((property) => [property.propertyName, property]));
  const declared = new Map([...names].map((name) => [name, propertyOf(types.get(name))]));
  if (form === 'given') return declared;
  const renamed = exposedNames(type).map(([exposed, name]) => [exposed, declared.get(name) ?? FREE] as const);
  return new Map([...declared, ...renamed]);
}

/** Anything may be inside. */
export const FREE: DeclaredProperty = { classOf: null, isMap: false, discriminator: undefined };

function propertyOf(metadata: TypeMetadata | undefined): DeclaredProperty {
  if (!metadata || isSimple(metadata)) return FREE;
  const isMap = (metadata.reflectedType as unknown) === Map;
  return { classOf: classFinder(metadata), isMap, discriminator: metadata.options.discriminator?.property };
}

/** Its values have no properties. */
function isSimple(metadata: TypeMetadata): boolean {
  return !isDynamic(metadata) && CONVERTED.has(typeIn(metadata));
}

function classFinder(metadata: TypeMetadata): (value: object, owner: object) => Class {
  const { typeFunction, propertyName: property } = metadata;
  const { discriminator } = metadata.options;
  const dynamic = typeFunction as (given: object) => unknown;
  const base = (value: object, owner: object): Class =>
    isDynamic(metadata) ? (dynamic({ newObject: value, object: owner, property }) as Class) : typeIn(metadata);
  if (!discriminator) return base;
  return (value, owner) => {
    const named: unknown = Reflect.get(value, discriminator.property);
    const prototype: unknown = Object.getPrototypeOf(value);
    const subType = discriminator.subTypes.find((type) => type.name === named || type.value.prototype === prototype);
    return subType ? (subType.value as Class) : base(value, owner);
  };
}

/** Properties that the constructor makes. Some constructors cannot be called without arguments. */
function initialised(type: Class): string[] {
  try {
    return Object.keys(new type());
  } catch {
    // Nothing can be delivered as such a class: the instance is what fails then.
    return [];
  }
}
