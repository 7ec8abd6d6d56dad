import type { SubscriptionDefinition } from '@millrace/core';
import type { RedisConnections } from '@millrace/redis';
import type { Presence } from '../group/presence.js';
import { DeadLetterHook } from '../hook/dead-letter-hook.js';
import { DeadLetterKeeper } from '../retain/dead-letter-keeper.js';
import type { GroupPartition } from './group-partition.js';

interface Given {
  readonly redis: RedisConnections;
  readonly presence: Presence;
  readonly member: string;
  readonly stuckAfterMs: number;
}

interface DeadLetterParts {
  readonly hook: DeadLetterHook | null;
  readonly keeper: DeadLetterKeeper | null;
}

/** Whoever tells of dead letters, and whoever bounds them, where the subscription asks for it. */
export function deadLetterParts(
  given: Given,
  definition: SubscriptionDefinition,
  partitions: readonly GroupPartition[],
): DeadLetterParts {
  const { redis, presence } = given;
  const { deadLetterHandler: handler, deadLetters: bounds } = definition;
  const hasHook = handler !== undefined;
  return {
    hook: handler ? new DeadLetterHook({ ...definition, ...given, redis: redis.publish, partitions, handler }) : null,
    keeper: bounds ? new DeadLetterKeeper({ redis: redis.control, presence, partitions, bounds, hasHook }) : null,
  };
}
