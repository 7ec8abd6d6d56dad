import 'reflect-metadata';
import { Type, type TypeMetadata } from 'class-transformer';
import { defaultMetadataStorage as decorated } from 'class-transformer/cjs/storage.js';
import type { PayloadClass } from './topic.js';

export type Class = PayloadClass;

/** What class-transformer's decorators say about a class and the classes that it is made of. */
export interface ClassShape {
  /** They say how it becomes plain data (`@Expose`, `@Exclude`, `@Transform`, `@Type` of a Map or Set): ask class-transformer. */
  readonly transforms: boolean;
  /** A `@Type` tells subtypes apart by a property of the data. */
  readonly discriminates: boolean;
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
  const shape = isStorageReadable() ? readShape(type) : { transforms: true, discriminates: false, types: null };
  shapes.set(type, shape);
  return shape;
}

function readShape(type: Class): ClassShape {
  const lines = [...partsOf(type)].flatMap(lineOf);
  const properties = lines.flatMap(propertiesOf);
  const transforms = lines.some(isDecorated) || properties.some(isSpecial);
  const discriminates = properties.some(({ options }) => options.discriminator !== undefined);
  return { transforms, discriminates, types: transforms || discriminates ? null : typesOf(type) };
}

/** A class's own word counts more than that of its ancestors. */
function typesOf(type: Class): Map<string, Class> {
  const properties = lineOf(type).reverse().flatMap(propertiesOf);
  return new Map(properties.map(({ propertyName, typeFunction }) => [propertyName, typeFunction() as Class]));
}

/** The class and those that its properties, and theirs, are made of. */
function partsOf(type: Class, parts = new Set<Class>()): Set<Class> {
  if (parts.has(type)) return parts;
  parts.add(type);
  for (const property of lineOf(type).flatMap(propertiesOf)) {
    const subTypes = property.options.discriminator?.subTypes.map(({ value }) => value as Class) ?? [];
    const own = property.typeFunction.length === 0 ? [property.typeFunction() as Class] : [];
    for (const part of [...own, ...subTypes]) partsOf(part, parts);
  }
  return parts;
}

/** The class and its ancestors, the nearest first. */
function lineOf(type: Class): Class[] {
  const line: Class[] = [];
  for (let link: unknown = type; typeof link === 'function' && link !== Function.prototype; link = Object.getPrototypeOf(link)) {
    line.push(link as Class);
  }
  return line;
}

function propertiesOf(type: Class): TypeMetadata[] {
  return [...(decorated._typeMetadatas.get(type)?.values() ?? [])];
}

function isDecorated(type: Class): boolean {
  const { _exposeMetadatas, _excludeMetadatas, _transformMetadatas } = decorated;
  return [_exposeMetadatas, _excludeMetadatas, _transformMetadatas].some((metadata) => metadata.has(type));
}

/** Its type depends on the data, or it is a collection that class-transformer fills. */
function isSpecial({ typeFunction, reflectedType }: TypeMetadata): boolean {
  if (typeFunction.length > 0) return true;
  return [reflectedType as unknown, typeFunction()].some((type) => COLLECTIONS.has(type) || isArrayClass(type));
}

const COLLECTIONS = new Set<unknown>([Map, Set, Buffer]);

function isArrayClass(type: unknown): boolean {
  return typeof type === 'function' && type !== Array && typeof type.prototype === 'object' && 'push' in type.prototype;
}

class Probe {
  value?: unknown;
}

/** A bundler may have given the decorators another copy of class-transformer than ours: then nothing is known about a class. */
let isReadable: boolean | undefined;
function isStorageReadable(): boolean {
  if (isReadable === undefined) {
    Type(() => Object)(Probe.prototype, 'value');
    isReadable = propertiesOf(Probe).length > 0;
  }
  return isReadable;
}
