import { type DeadLetterContext, IsName, type TopicOf } from '@millrace/core';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';

/** Options of `@OnDeadLetter`: its second argument. */
export class OnDeadLetterOptions {
  /** The group whose dead letters they are; the application must subscribe to the topic for it. Required. */
  @IsName('group')
  group!: string;
}

/**
 * Makes a method the handler of a group's dead letters. It is called at least once for each message that the group gives up from
 * the time on when the method first exists, after the message is among the dead letters. It gets the payload and a
 * {@link DeadLetterContext}; when `payloadIsValid` is false, the payload is the data that was found, and no instance of the
 * topic's class. When the method throws, the same process calls it again, by the retry policy and up to the attempts of the
 * subscription; after that it is not called again, which is logged and counted (`hookFailed`), and the dead letter stays. It runs
 * wherever its group does, for `concurrency` dead letters at once, including those that wait for another attempt.
 *
 * Mistakes are reported when the application starts: NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP, DUPLICATE_SUBSCRIPTION,
 * CONTRACT_CONFLICT when it names a type of message and the group subscribes to another, or to all.
 */
export function OnDeadLetter<T>(
  topic: TopicOf<T>,
  options: OnDeadLetterOptions,
): HandlerDecorator<T, DeadLetterContext> {
  const declaration = { kind: 'on-dead-letter', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
