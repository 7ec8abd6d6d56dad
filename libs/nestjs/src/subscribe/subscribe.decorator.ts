import type { DeliveryContext, TopicOf } from '@millrace/core';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';
import type { SubscribeOptions } from './subscribe-options.js';

/**
 * Makes a method of a provider or controller the handler of a topic for one group. It is called with the payload, an
 * instance of the topic's class, and a {@link DeliveryContext}. When it returns (a promise, an Observable) the message
 * is acknowledged; when it throws, the message is retried by the policy. A method may have several.
 *
 * Mistakes are reported when the application starts: NOT_A_TOPIC, INVALID_OPTIONS, DUPLICATE_SUBSCRIPTION,
 * CONTRACT_CONFLICT, INBOX_NOT_CONFIGURED.
 */
export function Subscribe<T>(
  topic: TopicOf<T>,
  options: SubscribeOptions<T>,
): HandlerDecorator<T, DeliveryContext> {
  const declaration = { kind: 'subscribe', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
