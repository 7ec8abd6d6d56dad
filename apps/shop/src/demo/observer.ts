import { setTimeout as pause } from 'node:timers/promises';
import { isMillraceError, type PayloadClass, topicOf } from '@millrace/core';
import { type GroupState, type Inspector, type JobCounts, type JobQueue, type SqlDatabase, sumStates } from '@millrace/nestjs';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { countMails } from './effects.js';

/** The groups of the shop and what they are subscribed to. */
export const GROUPS: Readonly<Record<string, readonly PayloadClass[]>> = {
  inventory: [OrderPlaced, OrderCancelled],
  notifications: [OrderPlaced],
};

export const QUEUE = 'emails';

/** The service that charges orders. */
export const SERVICE = 'payments';

const TRY_FOR_MS = 30_000;
const RETRY_MS = 200;

/** Null for a group that has not subscribed to all of its topics yet: nothing is known of its lag then. */
export interface Observation {
  readonly groups: Readonly<Record<string, GroupState | null>>;
  readonly jobs: JobCounts;
  /** Mails that were sent, by the database: the queue keeps its latest completed jobs alone. */
  readonly mails: number;
}

/** Observes the progress of the handlers. */
export class Observer {
  readonly #inspector: Inspector;
  readonly #jobs: JobQueue;
  readonly #database: SqlDatabase;

  constructor(inspector: Inspector, jobs: JobQueue, database: SqlDatabase) {
    this.#inspector = inspector;
    this.#jobs = jobs;
    this.#database = database;
  }

  /** @throws the error of Redis or the database that does not pass within 30 seconds */
  async observe(): Promise<Observation> {
    const until = performance.now() + TRY_FOR_MS;
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
    const [jobs, mails] = await Promise.all([this.#jobs.counts(QUEUE), countMails(this.#database)]);
    return { groups: Object.fromEntries(await Promise.all(groups)), jobs, mails };
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
