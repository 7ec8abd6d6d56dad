import type { DeliveryContext, TopicOf } from '@millrace/core';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';
import type { SubscribeBroadcastOptions } from './subscribe-broadcast-options.js';

/**
 * Makes a method a handler that every process calls for each message that is published while it runs: for caches and
 * settings that each instance holds. It has no group, leaves nothing behind in Redis, and keeps nothing from being removed
 * there: a process never gets the messages that are published while it does not run. A message whose handler fails is tried
 * again by the policy while the process runs, and then given up: there are no dead letters.
 *
 * It runs in every process whose handlers are not `'none'`, whatever groups it selects. Mistakes are reported when the
 * application starts: NOT_A_TOPIC, INVALID_OPTIONS, CONTRACT_CONFLICT.
 */
export function SubscribeBroadcast<T>(
  topic: TopicOf<T>,
  options: SubscribeBroadcastOptions = {},
): HandlerDecorator<T, DeliveryContext> {
  const declaration = { kind: 'subscribe-broadcast', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
