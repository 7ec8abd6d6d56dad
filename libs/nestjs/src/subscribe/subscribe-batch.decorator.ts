import type { BatchContext, TopicOf } from '@millrace/core';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';
import type { SubscribeBatchOptions } from './subscribe-batch-options.js';

/**
 * Makes a method the handler of a topic for one group, many messages at a time. It is called with their payloads and a
 * {@link BatchContext}. When it returns, all are acknowledged but those that it named with `context.fail()`; when it throws,
 * all that it did not name have failed. Failed messages are retried by the policy, one by one, and may come back in another
 * batch. A payload that does not validate fails alone, before the handler. A message whose process vanished comes back in a
 * batch of its own.
 *
 * Mistakes are reported when the application starts: those of `@Subscribe`.
 */
export function SubscribeBatch<T>(
  topic: TopicOf<T>,
  options: SubscribeBatchOptions<T>,
): HandlerDecorator<T[], BatchContext> {
  const declaration = { kind: 'subscribe-batch', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
