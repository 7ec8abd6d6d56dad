import { type DeadLetterContext, IsName, type PayloadClass } from '@millrace/core';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';

/** What `@OnDeadLetter` takes after the topic. */
export class OnDeadLetterOptions {
  /** The group whose dead letters they are; the application must subscribe to the topic for it. Required. */
  @IsName('group')
  group!: string;
}

/**
 * Has a method told of each message that a group gives up from when the method is first there: at least once, after it is among
 * the dead letters. It is called with the payload and a {@link DeadLetterContext}; where `payloadIsValid` is false, the payload
 * is no instance of the topic's class but what was found in its place. When it throws it is told again by the same process, by
 * the retry policy and up to the attempts of the subscription; after that it is told no more, which is logged and counted
 * (`hookFailed`); the dead letter stays. It runs wherever its group does, and is told of `concurrency` dead letters at once,
 * those included that wait for another attempt.
 *
 * Mistakes are reported when the application starts: NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP, DUPLICATE_SUBSCRIPTION,
 * CONTRACT_CONFLICT when it names a type of message and the group subscribes to another, or to all.
 */
export function OnDeadLetter<T extends object>(
  topic: PayloadClass<T>,
  options: OnDeadLetterOptions,
): HandlerDecorator<T, DeadLetterContext> {
  const declaration = { kind: 'on-dead-letter', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
