import { IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';
import { MillraceError } from '../errors.js';
import { assertName } from '../names.js';
import { parseOptions } from '../options/parse-options.js';
import { IsOneOf } from '../options/rules.js';
import { orInACircle } from './no-class.js';
import { type PayloadClass, type TopicDefinition, topicTraits } from './topic.js';
import { TopicOptions } from './topic-options.js';
import { UNKNOWN_PROPERTIES, type UnknownProperties } from './unknown-properties.js';

/** Options of `defineTopic`: those of `@Topic`, and the class. */
export class DefinedTopicOptions<T = unknown> extends TopicOptions<T> {
  /**
   * The class of the payloads, with or without a `@Topic` of its own; several topics may have one class. Default: none, any JSON
   * value is a payload, and nothing is validated.
   */
  @IsOptional() @IsPayloadClass()
  payload?: PayloadClass<T & object>;

  /** As in `@Topic`. For topics with a class alone. */
  @IsOptional() @IsOneOf(UNKNOWN_PROPERTIES) @IsForClass()
  override unknownProperties?: UnknownProperties;
}

/** The payload is known to the compiler alone. */
declare const PAYLOAD: unique symbol;

/** A topic that `defineTopic` made, with payloads of type `T`. */
export interface DefinedTopic<T = unknown> extends TopicDefinition {
  readonly [PAYLOAD]: T;
}

/** A topic with payloads of type `T`: a class with `@Topic` or `@MessageType`, or what `defineTopic` returned. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- only `any[]` accepts every constructor
export type TopicOf<T> = (new (...args: any[]) => T) | DefinedTopic<T>;

/**
 * Defines a topic whose name is apart from the class of its payloads, or that has no class. It is used wherever a class with
 * `@Topic` is. Define it once, and import it everywhere.
 *
 * - With `payload` its messages are validated, stored and delivered as those of a class with `@Topic`; it has no types of
 *   messages, and options that the class itself may have as a topic do not count.
 * - Without it any JSON value is a payload: objects, arrays, texts, numbers, booleans and null. `T` is what the compiler takes it
 *   for; nobody checks it when the program runs. A value that JSON does not have, or would change (undefined, a Date, a Map,
 *   whatever has a `toJSON`), is refused when it is published.
 *
 * @param name 1 to 128 of `A-Z a-z 0-9 . _ -`
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS
 */
export function defineTopic<T extends object>(
  name: string,
  options: DefinedTopicOptions<T> & { readonly payload: PayloadClass<T> },
): DefinedTopic<T>;
export function defineTopic<T = unknown>(
  name: string,
  options?: DefinedTopicOptions<T> & { readonly payload?: never; readonly unknownProperties?: never },
): DefinedTopic<T>;
export function defineTopic(name: string, options: object = {}): TopicDefinition {
  assertName('topic', name);
  const where = `defineTopic('${name}')`;
  assertNotMissing(options, where);
  const parsed = parseOptions(DefinedTopicOptions, options, where);
  const { payload = null } = parsed as DefinedTopicOptions;
  return Object.freeze({ ...topicTraits(parsed, { name, where }), payload, types: new Map() });
}

/** An undefined class would make it, without a word, a topic that checks nothing. */
function assertNotMissing(options: unknown, where: string): void {
  if (options === null || typeof options !== 'object' || !('payload' in options) || options.payload !== undefined) return;
  const advice = orInACircle('name the class, or leave payload out, so that any JSON value is a payload.', undefined);
  throw new MillraceError('INVALID_OPTIONS', `${where}: its payload is undefined: ${advice}`);
}

function IsPayloadClass(): PropertyDecorator {
  return ValidateBy({
    name: 'isPayloadClass',
    validator: {
      // A function without a prototype cannot be called with `new`.
      validate: (value: unknown) => typeof value === 'function' && typeof value.prototype === 'object',
      defaultMessage: () => 'payload must be a class: leave it out where any JSON value is a payload',
    },
  });
}

function IsForClass(): PropertyDecorator {
  return ValidateBy({
    name: 'isForClass',
    validator: {
      // Another rule refuses what is no rule for properties.
      validate: (value, given?: ValidationArguments) =>
        !UNKNOWN_PROPERTIES.some((rule) => rule === value) || (given?.object as DefinedTopicOptions).payload !== undefined,
      defaultMessage: () =>
        'unknownProperties must not be given without payload: no class declares the properties of any JSON value, and all are kept',
    },
  });
}
