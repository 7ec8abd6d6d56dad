import 'reflect-metadata';
import { IsOptional } from 'class-validator';
import type { Message } from '../delivery/delivery.js';
import { MillraceError } from '../errors.js';
import { assertName } from '../names.js';
import { parseOptions } from '../options/parse-options.js';
import { IsWholeNumber } from '../options/rules.js';
import { AnyJson } from './any-json.js';
import {
  assertFree, isDefinition, isTopic, joinTopic, type MessageTypeDefinition, type PayloadClass, type TopicDefinition, topicOf,
  type TopicRef,
} from './topic.js';

/** Options of `@MessageType`: its second argument. */
export class MessageTypeOptions {
  /** The version of the payload's schema, 1 to 1000000. Raise it when older consumers can no longer read it. Default 1. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000_000 })
  version?: number = 1;
}

const MESSAGE_TYPE = Symbol('millrace:message-type');

/**
 * Makes a subclass of a topic's class one type of its messages: a message of this class carries the name and the version, and is
 * an instance of this class again where it is handled. A message of a higher version than the class has is tried
 * again for a while (`retry.unknownFor`), since a newer process may be on its way, and then becomes a dead letter
 * (UNSUPPORTED_VERSION); so does one of a type that the topic does not have here (UNKNOWN_MESSAGE_TYPE). Both can be redriven
 * when the process is newer.
 *
 * @param name 1 to 128 of `A-Z a-z 0-9 . _ -`
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS; NOT_A_TOPIC when it extends none; CONTRACT_CONFLICT when the topic has
 *   another class of that name, or the class is of a topic already
 */
export function MessageType<T extends object>(name: string, options: MessageTypeOptions = {}): (target: PayloadClass<T>) => void {
  assertName('message type', name);
  const { version } = parseOptions(MessageTypeOptions, options, `@MessageType('${name}')`);
  return (target) => {
    assertFree(target, `@MessageType('${name}')`);
    const topic = topicAbove(name, target);
    const other = topic.types.get(name);
    if (other) throw conflict(topic, other, target);
    const definition = { name, version, payload: target };
    joinTopic(topic, definition);
    Reflect.defineMetadata(MESSAGE_TYPE, Object.freeze(definition), target);
  };
}

/** The type under which a topic, or a class with `@MessageType`, is published and subscribed to. */
export function messageTypeOf(contract: TopicRef): MessageTypeDefinition {
  if (isDefinition(contract)) return { name: null, version: 1, payload: contract.payload ?? AnyJson };
  const own = Reflect.getOwnMetadata(MESSAGE_TYPE, contract) as MessageTypeDefinition | undefined;
  return own ?? { name: null, version: 1, payload: contract };
}

/** The class that a message is made an instance of; {@link AnyJson} where it stays as it was parsed. */
export function payloadClassOf(topic: TopicDefinition, { type }: Message): PayloadClass {
  return (type === null ? undefined : topic.types.get(type)?.payload) ?? topic.payload ?? AnyJson;
}

function topicAbove(name: string, target: PayloadClass): TopicDefinition {
  const base: unknown = Object.getPrototypeOf(target);
  if (isTopic(base)) return topicOf(base);
  throw new MillraceError(
    'NOT_A_TOPIC',
    `@MessageType('${name}') stands on ${target.name}, which extends no topic: let it extend a class with @Topic.`,
  );
}

function conflict(topic: TopicDefinition, other: MessageTypeDefinition, target: PayloadClass): MillraceError {
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `${other.payload.name} and ${target.name} are different classes with the same @MessageType name '${other.name ?? ''}' in topic ` +
      `'${topic.name}'. A type is one class: rename one of them, or import the same class everywhere.`,
  );
}
