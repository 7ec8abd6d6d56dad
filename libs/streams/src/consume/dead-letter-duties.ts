import type { SubscriptionDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { Presence } from '../group/presence.js';
import { DeadLetterHook } from '../hook/dead-letter-hook.js';
import { DeadLetterKeeper } from '../retain/dead-letter-keeper.js';
import type { GroupPartition } from './group-partition.js';

export interface DeadLetterDutiesParts {
  readonly redis: Topology;
  readonly presence: Presence;
  readonly member: string;
  readonly stuckAfterMs: number;
  readonly partitions: readonly GroupPartition[];
}

/** The work of a member on the dead letters of its group: it reports them and keeps them within bounds, if it is asked to. */
export class DeadLetterDuties {
  readonly hook: DeadLetterHook | null;
  readonly #keeper: DeadLetterKeeper | null;

  constructor(parts: DeadLetterDutiesParts, definition: SubscriptionDefinition) {
    const { redis, presence, partitions } = parts;
    const { deadLetterHandler: handler, deadLetters: bounds } = definition;
    const hasHook = handler !== undefined;
    this.hook = handler ? new DeadLetterHook({ ...definition, ...parts, handler }) : null;
    this.#keeper = bounds ? new DeadLetterKeeper({ redis, presence, partitions, bounds, hasHook }) : null;
  }

  start(): void {
    this.hook?.start();
    this.#keeper?.start();
  }

  /** There is a new dead letter. */
  wake(): void {
    this.hook?.wake();
    this.#keeper?.wake();
  }

  /** Why dead letters are not reported, or null while all is well. */
  problem(): string | null {
    return this.hook?.problem() ?? null;
  }

  /** Leaves dead letters that are not reported yet to other members. */
  async leave(): Promise<void> {
    await Promise.all([this.hook?.leave(), this.#keeper?.stop()]);
  }
}
