import 'reflect-metadata';
import { durationMs } from '../duration.js';
import { MillraceError } from '../errors.js';
import { assertName } from '../names.js';
import { parseOptions } from '../options/parse-options.js';
import { TopicOptions } from './topic-options.js';

/** A class whose instances are payloads. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- only `any[]` accepts every constructor
export type PayloadClass<T extends object = object> = new (...args: any[]) => T;

export interface TopicDefinition {
  readonly name: string;
  readonly partitions: number;
  /** How long an idempotency key is remembered, at least. */
  readonly idempotencyWindowMs: number;
  /** The key of a payload; undefined when the topic has none. */
  readonly key: ((payload: never) => string | null | undefined) | undefined;
  readonly payload: PayloadClass;
}

const TOPIC = Symbol('millrace:topic');

/**
 * Makes a class a topic: its name, its type, its validation.
 *
 * @param name 1 to 128 of `A-Z a-z 0-9 . _ -`
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS
 */
export function Topic<T extends object>(name: string, options: TopicOptions<T> = {}): (target: PayloadClass<T>) => void {
  assertName('topic', name);
  const parsed = parseOptions(TopicOptions, options, `@Topic('${name}')`);
  return (target) => {
    const definition: TopicDefinition = {
      name,
      partitions: parsed.partitions,
      idempotencyWindowMs: durationMs(parsed.idempotencyWindow),
      key: parsed.key,
      payload: target,
    };
    Reflect.defineMetadata(TOPIC, Object.freeze(definition), target);
  };
}

/** @throws MillraceError NOT_A_TOPIC */
export function topicOf(target: unknown): TopicDefinition {
  const definition: unknown = typeof target === 'function' ? Reflect.getOwnMetadata(TOPIC, target) : undefined;
  if (definition) return definition as TopicDefinition;
  const name = typeof target === 'function' ? target.name || 'an anonymous class' : `a value of type ${typeof target}`;
  throw new MillraceError('NOT_A_TOPIC', `${name} is not a topic: put @Topic('its.name') on the class of the payload.`);
}

export function isTopic(target: unknown): target is PayloadClass {
  return typeof target === 'function' && Reflect.hasOwnMetadata(TOPIC, target);
}
