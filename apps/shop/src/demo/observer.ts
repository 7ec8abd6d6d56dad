import { setTimeout as pause } from 'node:timers/promises';
import { isMillraceError, type PayloadClass, topicOf } from '@millrace/core';
import { type GroupState, type Inspector, type JobCounts, type JobQueue, sumStates } from '@millrace/nestjs';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';

/** The groups of the shop and what they are subscribed to. */
export const GROUPS: Readonly<Record<string, readonly PayloadClass[]>> = {
  inventory: [OrderPlaced, OrderCancelled],
  notifications: [OrderPlaced],
};

export const QUEUE = 'emails';

const PATIENCE_MS = 30_000;
const RETRY_MS = 200;

/** Null for a group that has not subscribed to all of its topics yet: nothing is known of its lag then. */
export interface Observation {
  readonly groups: Readonly<Record<string, GroupState | null>>;
  readonly jobs: JobCounts;
}

/** Looks at how far the handlers are. */
export class Observer {
  readonly #inspector: Inspector;
  readonly #jobs: JobQueue;

  constructor(inspector: Inspector, jobs: JobQueue) {
    this.#inspector = inspector;
    this.#jobs = jobs;
  }

  /** @throws what Redis says, when that does not mend itself within 30 seconds */
  async observe(): Promise<Observation> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await this.#look();
      } catch (thrown) {
        if (!isMillraceError(thrown) || !thrown.retryable || performance.now() > until) throw thrown;
        await pause(RETRY_MS);
      }
    }
  }

  async #look(): Promise<Observation> {
    const groups = Object.entries(GROUPS).map(async ([group, topics]) => [group, await this.#group(group, topics)] as const);
    return { groups: Object.fromEntries(await Promise.all(groups)), jobs: await this.#jobs.counts(QUEUE) };
  }

  async #group(group: string, topics: readonly PayloadClass[]): Promise<GroupState | null> {
    try {
      const states = await Promise.all(topics.map((topic) => this.#inspector.group(topicOf(topic), group)));
      return sumStates(states);
    } catch (thrown) {
      if (isMillraceError(thrown) && thrown.code === 'UNKNOWN_GROUP') return null;
      throw thrown;
    }
  }
}
