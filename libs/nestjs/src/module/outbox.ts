import { type FactoryProvider, Inject, Injectable } from '@nestjs/common';
import { MillraceError, type TopicDefinition } from '@millrace/core';
import { StoredJobs } from '@millrace/jobs';
import { Outbox, OutboxRelay, type SqlDatabase, type SqlSource } from '@millrace/outbox';
import type { OutboxSettings, Settings } from '../config/settings.js';
import type { HandlerPlan } from '../explore/plan.js';
import { Queues } from '../jobs/queues.js';
import { Connections } from './connections.js';
import { DATABASE, SETTINGS } from './tokens.js';

/** The state of the relay of this process. */
export interface OutboxState {
  /** Why rows are not published at present, when that lasts; null when all is well. */
  readonly problem: string | null;
}

/** The outbox that services inject. Its database is connected when it is first needed. */
export const outboxProvider: FactoryProvider = {
  provide: Outbox,
  inject: [DATABASE, Queues, SETTINGS],
  useFactory: (database: SqlDatabase, queues: Queues, settings: Settings) => {
    const { outbox, unknownProperties } = settings;
    const jobs = new StoredJobs((name) => queues.find(name), unknownProperties);
    const source = outbox === null ? noSource() : sourceOf(settings, database);
    const { table, schema, createTables } = outbox ?? {};
    return new Outbox({ source, jobs, unknownProperties, table, schema, createTables });
  },
};

/** The tables of the outbox, and its relay in processes that have one: idle -> running -> stopped. */
@Injectable()
export class OutboxRunner {
  readonly #connections: Connections;
  readonly #queues: Queues;
  readonly #outbox: Outbox;
  readonly #settings: Settings;
  readonly #database: SqlDatabase;
  #relay: OutboxRelay<unknown> | null = null;

  constructor(
    connections: Connections, queues: Queues, outbox: Outbox, @Inject(SETTINGS) settings: Settings,
    @Inject(DATABASE) database: SqlDatabase,
  ) {
    this.#connections = connections;
    this.#queues = queues;
    this.#outbox = outbox;
    this.#settings = settings;
    this.#database = database;
  }

  /** Null where no relay runs. */
  state(): OutboxState | null {
    return this.#relay && { problem: this.#relay.problem() };
  }

  /** @throws MillraceError DATABASE_UNREACHABLE, DATABASE_FAILED, INVALID_OPTIONS */
  async prepare({ topics }: HandlerPlan): Promise<void> {
    const { outbox } = this.#settings;
    if (outbox === null) return;
    await this.#outbox.prepare();
    if (outbox.relay) this.#relay = await this.#makeRelay(outbox, new Map(topics.map((topic) => [topic.name, topic])));
  }

  start(): void {
    this.#relay?.start();
  }

  /** Begins no page any more, and resolves when the running one is settled. */
  async stop(): Promise<void> {
    await this.#relay?.stop();
  }

  async #makeRelay(outbox: OutboxSettings, topics: ReadonlyMap<string, TopicDefinition>): Promise<OutboxRelay<unknown>> {
    const { relay: _relay, source: _source, createTables: _create, table, schema, listen, ...options } = outbox;
    const ports = {
      publish: await this.#connections.streams(),
      topicOf: (name: string) => topics.get(name),
      jobs: new StoredJobs((name) => this.#queues.find(name)),
    };
    const parts = { source: sourceOf(this.#settings, this.#database), ports, table, schema };
    return new OutboxRelay(parts, { ...options, listen: this.#listenUrl(outbox, listen) });
  }

  #listenUrl({ source }: OutboxSettings, listen: string | undefined): string | undefined {
    const url = listen ?? (source ? undefined : this.#settings.databaseUrl);
    return url === '' || url === null ? undefined : url;
  }
}

/** That of the outbox, or that of the module. */
function sourceOf({ outbox, databaseSource: own }: Settings, database: SqlDatabase): SqlSource<unknown> {
  return outbox?.source ?? own ?? database;
}

function noSource(): SqlSource<unknown> {
  const none = (): never => {
    throw new MillraceError('INVALID_OPTIONS', 'There is no outbox here, so nothing was stored: give MillraceModule the option outbox.');
  };
  return { dialect: 'postgres', transaction: none, within: none };
}
