import 'reflect-metadata';
import { durationMs } from '../duration.js';
import { MillraceError } from '../errors.js';
import { assertName } from '../names.js';
import { type Parsed, parseOptions } from '../options/parse-options.js';
import type { Durability } from '../publish/durability.js';
import { classText, orInACircle } from './no-class.js';
import { replacedClassHint } from './replaced-class.js';
import { type Retention, retentionOf } from './retention.js';
import { type IdempotencyScope, TopicOptions } from './topic-options.js';
import type { UnknownProperties } from './unknown-properties.js';

/** A class whose instances are payloads. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- only `any[]` accepts every constructor
export type PayloadClass<T extends object = object> = new (...args: any[]) => T;

export interface TopicDefinition {
  readonly name: string;
  readonly partitions: number;
  /** How long an idempotency key is remembered, at least. */
  readonly idempotencyWindowMs: number;
  /** Where an idempotency key is unique. */
  readonly idempotencyScope: IdempotencyScope;
  /** How long a message is of use unless its publish says otherwise; null for ever. */
  readonly ttlMs: number | null;
  /** The guarantee of a resolved publish, unless its own options say another. */
  readonly durability: Durability;
  /** How long messages are kept; null: everything is kept. */
  readonly retention: Retention | null;
  /** The key of a payload; undefined when the topic has none. */
  readonly key: ((payload: never) => string | null | undefined) | undefined;
  /** The rule for properties that the class does not declare; undefined: that of the process. */
  readonly unknownProperties: UnknownProperties | undefined;
  /** The class of its payloads; null where any JSON value is one. */
  readonly payload: PayloadClass | null;
  /** The types of message that it has, by name: the subclasses with `@MessageType`. Empty for a topic without types. */
  readonly types: ReadonlyMap<string, MessageTypeDefinition>;
}

export interface MessageTypeDefinition {
  /** Null for the topic's own class. */
  readonly name: string | null;
  /** The version of the payload's schema. */
  readonly version: number;
  readonly payload: PayloadClass;
}

const TOPIC = Symbol('millrace:topic');

/**
 * Makes a class a topic: its name, its type, its validation.
 *
 * @param name 1 to 128 of `A-Z a-z 0-9 . _ -`
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS; CONTRACT_CONFLICT when the class is of a topic already
 */
export function Topic<T extends object>(name: string, options: TopicOptions<T> = {}): (target: PayloadClass<T>) => void {
  assertName('topic', name);
  const where = `@Topic('${name}')`;
  const traits = topicTraits(parseOptions(TopicOptions, options, where), { name, where });
  return (target) => {
    assertFree(target, where);
    const definition: TopicDefinition = { ...traits, payload: target, types: new Map() };
    Reflect.defineMetadata(TOPIC, Object.freeze(definition), target);
  };
}

/** The traits of a topic that its options give, so all but its payloads. */
export function topicTraits(
  { partitions, idempotencyWindow, idempotencyScope, ttl, durability, retention, key, unknownProperties }: Parsed<TopicOptions>,
  { name, where }: { readonly name: string; readonly where: string },
): Omit<TopicDefinition, 'payload' | 'types'> {
  return {
    name,
    partitions,
    idempotencyWindowMs: durationMs(idempotencyWindow),
    idempotencyScope,
    ttlMs: ttl === undefined ? null : durationMs(ttl),
    durability,
    retention: retentionOf(retention, `${where}, retention`),
    key,
    unknownProperties,
  };
}

/** @throws MillraceError NOT_A_TOPIC */
export function topicOf(target: unknown): TopicDefinition {
  const definition: unknown = typeof target === 'function' ? Reflect.getOwnMetadata(TOPIC, target) : undefined;
  if (definition) return definition as TopicDefinition;
  const advice = orInACircle("put @Topic('its.name') on the class of the payload, or give what defineTopic('its.name') returns.", target);
  throw new MillraceError('NOT_A_TOPIC', `${classText(target)} is not a topic: ${advice}${replacedClassHint(target, isTopic)}`);
}

/**
 * A class that stood for two topics, or for two types, would be read as the one and published as the other.
 *
 * @throws MillraceError CONTRACT_CONFLICT
 */
export function assertFree(target: PayloadClass, decorator: string): void {
  if (!isTopic(target)) return;
  throw new MillraceError(
    'CONTRACT_CONFLICT',
    `${decorator} stands on ${target.name}, which is of topic '${topicOf(target).name}' already. A class is one topic, or one type of ` +
      'message: remove one of its decorators, or give the other a class of its own.',
  );
}

/** Makes a subclass one type of its topic: from now on it stands for the topic too. */
export function joinTopic(topic: TopicDefinition, type: MessageTypeDefinition & { readonly name: string }): void {
  (topic.types as Map<string, MessageTypeDefinition>).set(type.name, type);
  Reflect.defineMetadata(TOPIC, topic, type.payload);
}

export function isTopic(target: unknown): target is PayloadClass {
  return typeof target === 'function' && Reflect.hasOwnMetadata(TOPIC, target);
}

/** A topic, named by its class, or by its definition: the result of `defineTopic`, or what `@Topic` made of the class. */
export type TopicRef = PayloadClass | TopicDefinition;

export function isTopicRef(target: unknown): target is TopicRef {
  return isDefinition(target) || isTopic(target);
}

/** @throws MillraceError NOT_A_TOPIC */
export function topicOfRef(topic: TopicRef): TopicDefinition {
  return isDefinition(topic) ? topic : topicOf(topic);
}

/** An instance of a topic's class is no topic. */
export function isDefinition(topic: unknown): topic is TopicDefinition {
  if (topic === null || typeof topic !== 'object') return false;
  const { name, partitions, types } = topic as Partial<TopicDefinition>;
  return typeof name === 'string' && Number.isInteger(partitions) && types instanceof Map;
}
