import 'reflect-metadata';
import { Type, type TypeMetadata } from 'class-transformer';
import { defaultMetadataStorage as decorated } from 'class-transformer/cjs/storage.js';
import { MillraceError } from '../errors.js';
import { membersOf } from './class-members.js';
import { classText, orInACircle } from './no-class.js';
import type { PayloadClass } from './topic.js';

export type Class = PayloadClass;

/** The decorators of class-transformer on a class and on the classes that it is made of. */
export interface ClassShape {
  /** They say how it becomes plain data (`@Expose`, `@Exclude`, `@Transform`, `@Type` of a Map or Set): ask class-transformer. */
  readonly transforms: boolean;
  /** A `@Type` distinguishes subtypes by a property of the data. */
  readonly discriminates: boolean;
  /** An instance may differ from its data: by a conversion (`@Type(() => Number)`), or by methods and accessors. */
  readonly converts: boolean;
  /**
   * The `@Type` of each property, where class-transformer would do no more than make an instance and assign what the data
   * holds; null where it does more.
   */
  readonly types: ReadonlyMap<string, Class> | null;
}

const shapes = new WeakMap<Class, ClassShape>();

/** Decorators are read once a class: they are all there when the first payload is. */
export function shapeOf(type: Class): ClassShape {
  const known = shapes.get(type);
  if (known) return known;
  const shape = isStorageReadable() ? readShape(type) : { transforms: true, discriminates: false, converts: true, types: null };
  shapes.set(type, shape);
  return shape;
}

function readShape(type: Class): ClassShape {
  const parts = [...partsOf(type)];
  const lines = parts.flatMap(lineOf);
  const properties = lines.flatMap(propertiesOf);
  const transforms = lines.some(isDecorated) || properties.some(isSpecial);
  const discriminates = properties.some(({ options }) => options.discriminator !== undefined);
  const isAsked = transforms || discriminates;
  return { transforms, discriminates, converts: isAsked || parts.some(isChanging), types: isAsked ? null : typesOf(type) };
}

function isChanging(part: Class): boolean {
  if (part as unknown === Object) return false;
  return CONVERTED.has(part) || !membersOf(part).isBare;
}

/** A class's own word counts more than that of its ancestors. */
function typesOf(type: Class): Map<string, Class> {
  const properties = lineOf(type).reverse().flatMap(propertiesOf);
  return new Map(properties.map((property) => [property.propertyName, typeIn(property)]));
}

/** The class and those that its properties, and theirs, are made of. */
function partsOf(type: Class, parts = new Set<Class>()): Set<Class> {
  if (parts.has(type)) return parts;
  parts.add(type);
  for (const property of lineOf(type).flatMap(propertiesOf)) {
    const subTypes = property.options.discriminator?.subTypes.map(({ value }) => value as Class) ?? [];
    const own = isDynamic(property) ? [] : [typeIn(property)];
    for (const part of [...own, ...subTypes]) partsOf(part, parts);
  }
  return parts;
}

/** The class and its ancestors, the nearest first. */
export function lineOf(type: Class): Class[] {
  const line: Class[] = [];
  for (let link: unknown = type; typeof link === 'function' && link !== Function.prototype; link = Object.getPrototypeOf(link)) {
    line.push(link as Class);
  }
  return line;
}

export function propertiesOf(type: Class): TypeMetadata[] {
  return [...(decorated._typeMetadatas.get(type)?.values() ?? [])];
}

/** The properties that class-transformer's decorators name, in the class and its ancestors. */
export function decoratedNames(type: Class): string[] {
  const { _typeMetadatas, _exposeMetadatas, _excludeMetadatas, _transformMetadatas } = decorated;
  const all = [_typeMetadatas, _exposeMetadatas, _excludeMetadatas, _transformMetadatas];
  const names = lineOf(type).flatMap((link) => all.flatMap((metadata) => [...(metadata.get(link)?.keys() ?? [])]));
  return names.filter((name) => name !== undefined);
}

/** Names that properties have in stored data, each with the property. */
export function exposedNames(type: Class): [string, string][] {
  const exposed = lineOf(type).flatMap((link) => [...(decorated._exposeMetadatas.get(link)?.values() ?? [])]);
  return exposed.flatMap(({ propertyName, options }) => (propertyName && options.name ? [[options.name, propertyName]] : []));
}

/** Whether the object's own class says that the property is not written. */
export function isExcluded(owner: object, property: string): boolean {
  const prototype = Object.getPrototypeOf(owner) as { readonly constructor?: unknown } | null;
  if (prototype === null || prototype === Object.prototype) return false;
  return lineOf(prototype.constructor as Class).some((link) => {
    const excluded = decorated._excludeMetadatas.get(link);
    return excluded?.has(property) || excluded?.has(undefined);
  });
}

function isDecorated(type: Class): boolean {
  const { _exposeMetadatas, _excludeMetadatas, _transformMetadatas } = decorated;
  return [_exposeMetadatas, _excludeMetadatas, _transformMetadatas].some((metadata) => metadata.has(type));
}

/** Whether a property has a `@Transform`, in one direction or in both. */
export function hasTransform(type: Class, property: string): boolean {
  return !isStorageReadable() || lineOf(type).some((link) => decorated._transformMetadatas.get(link)?.has(property));
}

/** Its type depends on the data, or is a collection that class-transformer fills. */
function isSpecial(property: TypeMetadata): boolean {
  if (isDynamic(property)) return true;
  return [property.reflectedType as unknown, typeIn(property)].some((type) => COLLECTIONS.has(type) || isArrayClass(type));
}

/** Its type depends on the data. */
export function isDynamic({ typeFunction }: Partial<TypeMetadata>): boolean {
  return typeFunction !== undefined && typeFunction.length > 0;
}

/** @throws MillraceError INVALID_OPTIONS when there is no such class, because files import each other in a circle */
export function typeIn(property: TypeMetadata): Class {
  const type = namedType(property);
  if (typeof type === 'function') return type as Class;
  const { target, propertyName } = property;
  throw new MillraceError(
    'INVALID_OPTIONS',
    `${(target as Class).name}.${propertyName}: its @Type gives no class, but ${classText(type)}, so its values cannot be made again. ` +
      orInACircle('Write @Type(() => ItsClass).', type),
  );
}

function namedType({ typeFunction, reflectedType }: Partial<TypeMetadata>): unknown {
  try {
    return typeFunction ? typeFunction() : reflectedType;
  } catch (thrown) {
    // A class is not there yet while files that import each other in a circle are loaded.
    if (thrown instanceof ReferenceError) return undefined;
    throw thrown;
  }
}

/** The types to which class-transformer converts values, in place of making instances. */
export const CONVERTED: ReadonlySet<unknown> = new Set<unknown>([String, Number, Boolean, Date]);
const COLLECTIONS = new Set<unknown>([Map, Set, Buffer]);

function isArrayClass(type: unknown): boolean {
  return typeof type === 'function' && type !== Array && typeof type.prototype === 'object' && 'push' in type.prototype;
}

class Probe {
  value?: unknown;
}

/** A bundler may have given the decorators another copy of class-transformer than ours: then nothing is known about a class. */
let isReadable: boolean | undefined;
export function isStorageReadable(): boolean {
  if (isReadable === undefined) {
    Type(() => Object)(Probe.prototype, 'value');
    isReadable = propertiesOf(Probe).length > 0;
  }
  return isReadable;
}
