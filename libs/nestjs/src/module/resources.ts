import { Inject, Injectable } from '@nestjs/common';
import { assertQueuesWork } from '@millrace/jobs';
import type { Settings } from '../config/settings.js';
import type { HandlerPlan } from '../explore/plan.js';
import { RequestLedgers } from '../http/idempotency/request-ledgers.js';
import { Queues } from '../jobs/queues.js';
import { Administration } from './administration.js';
import { Connections } from './connections.js';
import { Inbox } from './inbox.js';
import { OutboxRunner } from './outbox.js';
import { SETTINGS } from './tokens.js';

/** The resources of handlers and publishers: Redis with its topics, the queues, the database with the inbox. */
@Injectable()
export class Resources {
  readonly #settings: Settings;
  readonly #connections: Connections;
  readonly #queues: Queues;
  readonly #inbox: Inbox;
  readonly #requests: RequestLedgers;
  readonly #outbox: OutboxRunner;
  readonly #administration: Administration;

  constructor(
    @Inject(SETTINGS) settings: Settings, connections: Connections, queues: Queues, inbox: Inbox, requests: RequestLedgers,
    outbox: OutboxRunner, administration: Administration,
  ) {
    this.#settings = settings;
    this.#connections = connections;
    this.#queues = queues;
    this.#inbox = inbox;
    this.#requests = requests;
    this.#outbox = outbox;
    this.#administration = administration;
  }

  /** @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED, DATABASE_UNREACHABLE, DATABASE_FAILED, TOPIC_MISMATCH */
  async open(plan: HandlerPlan): Promise<void> {
    const streams = await this.#connections.streams();
    if (this.#settings.databaseWanted) await this.#connections.database();
    await this.#inbox.prepare([...plan.subscriptions, ...plan.jobs]);
    await this.#outbox.prepare(plan);
    await Promise.all(plan.topics.map((topic) => streams.declare(topic)));
    const redis = await this.#connections.redis();
    if (plan.jobs.length > 0) assertQueuesWork(redis, this.#settings.redis);
    await this.#queues.open(redis, this.#settings.redis);
  }

  async close(): Promise<void> {
    await this.#requests.stop();
    await this.#administration.close();
    await this.#queues.close();
    await this.#connections.close();
  }
}
