import type { Durability } from '@millrace/core';
import type { HandlerPlan } from '../explore/plan.js';

/** @returns a line for each number of replicas that topics and groups ask for, and that the Redis does not have */
export function replicaLines({ topics, subscriptions }: Pick<HandlerPlan, 'topics' | 'subscriptions'>, replicas: number | null): string[] {
  if (replicas === null) return [];
  const lacking = (durability: Durability): boolean => wantedBy(durability) > replicas;
  const short = topics.filter(({ durability }) => lacking(durability));
  const groups = subscriptions.filter(({ durability }) => lacking(durability));
  const has = replicas === 0 ? 'a server without a replica' : `a server with no more than ${replicas}`;
  const advice = 'Add replicas, or ask for fewer in its durability.';
  return [
    ...new Set([
      ...short.map(({ name, durability }) => `Topic '${name}' asks for ${wanted(durability)}, and Redis has ${has}: its publishes are rejected. ${advice}`),
      ...groups.map(({ group, topic, durability }) =>
        `Group '${group}' of topic '${topic.name}' asks for ${wanted(durability)}, and Redis has ${has}: none of its outcomes ` +
          `counts, and stops take longer. ${advice}`),
    ]),
  ];
}

function wanted(durability: Durability): string {
  const count = wantedBy(durability);
  return count === 1 ? '1 replica' : `${count} replicas`;
}

function wantedBy(durability: Durability): number {
  return durability !== 'server' && durability.kind === 'replicated' ? durability.replicas : 0;
}
