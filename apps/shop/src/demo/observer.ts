import { setTimeout as pause } from 'node:timers/promises';
import { isMillraceError, type PayloadClass, topicOf } from '@millrace/core';
import { type GroupState, type Inspector, type JobCounts, type JobQueue, type Outbox, type SqlDatabase, sumStates } from '@millrace/nestjs';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { countMails } from './effects.js';

/** The groups of the shop and what they are subscribed to. */
export const GROUPS: Readonly<Record<string, readonly PayloadClass[]>> = {
  inventory: [OrderPlaced, OrderCancelled],
  notifications: [OrderPlaced],
};

export const QUEUE = 'emails';

const TRY_FOR_MS = 30_000;
const RETRY_MS = 200;

/** Null for a group that has not subscribed to all of its topics yet: nothing is known of its lag then. */
export interface Observation {
  readonly groups: Readonly<Record<string, GroupState | null>>;
  /** Messages in the outbox: those that are not published yet, and those that cannot be. */
  readonly outbox: { readonly waiting: number; readonly dead: number };
  readonly jobs: JobCounts;
  /** Orders that have a mail, by the database: the queue keeps its latest completed jobs alone. */
  readonly mails: number;
}

export interface ObserverParts {
  readonly outbox: Pick<Outbox, 'counts'>;
  readonly inspector: Inspector;
  readonly jobs: JobQueue;
  readonly database: SqlDatabase;
}

/** Observes the progress of the messages. */
export class Observer {
  readonly #parts: ObserverParts;

  constructor(parts: ObserverParts) {
    this.#parts = parts;
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

  /** One after the other, as messages go: what has left one place while it was looked at is seen in the next. */
  async #look(): Promise<Observation> {
    const { pending, waiting, dead } = await this.#parts.outbox.counts();
    const groups = Object.entries(GROUPS).map(async ([group, topics]) => [group, await this.#group(group, topics)] as const);
    const states = Object.fromEntries(await Promise.all(groups));
    const jobs = await this.#parts.jobs.counts(QUEUE);
    return { outbox: { waiting: pending + waiting, dead }, groups: states, jobs, mails: await countMails(this.#parts.database) };
  }

  async #group(group: string, topics: readonly PayloadClass[]): Promise<GroupState | null> {
    try {
      const states = await Promise.all(topics.map((topic) => this.#parts.inspector.group(topicOf(topic), group)));
      return sumStates(states);
    } catch (thrown) {
      if (isMillraceError(thrown) && thrown.code === 'UNKNOWN_GROUP') return null;
      throw thrown;
    }
  }
}
