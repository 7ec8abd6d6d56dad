import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DeadLetters, defineTopic, Inspector, MillraceModule, type TopicRef } from '@millrace/nestjs';
import { connectRedis, type ServerTarget, type Topology } from '@millrace/redis';
import { requestsKey } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { Checked } from './contracts.js';
import type { History, Letter } from './history.js';
import { EVENTS, type EventSubject, HANDLERS, SERVICE } from './plan.js';

const PATIENCE_MS = 60_000;
const MOST_LETTERS = 10_000;

interface Place {
  readonly topic: TopicRef;
  readonly group: string;
}

const PLACES = EVENTS.flatMap((subject) => {
  return Object.keys(HANDLERS[subject]).map((group): Place => ({ topic: topicOf(subject), group }));
});

/** Sees what is in Redis, past all networks that break. */
export class Observer {
  readonly #app: INestApplicationContext;
  readonly #direct: Topology;
  readonly #requests: string;

  private constructor(app: INestApplicationContext, direct: Topology, prefix: string) {
    this.#app = app;
    this.#direct = direct;
    this.#requests = requestsKey(prefix, { service: SERVICE, version: '1' });
  }

  static async start(target: ServerTarget, prefix: string): Promise<Observer> {
    const module = MillraceModule.forRoot({ redis: target.url, prefix, handlers: 'none' });
    const app = await NestFactory.createApplicationContext(module, { logger: false });
    return new Observer(app, await connectRedis({ ...target, name: 'spec' }), prefix);
  }

  /** Waits until nothing is left, for a minute at the most. */
  async left(): Promise<History['left']> {
    let left: History['left'] = { events: -1, requests: -1 };
    const isEmpty = async (): Promise<boolean> => {
      left = await this.#look();
      return left.events === 0 && left.requests === 0;
    };
    await waitFor(isEmpty, { what: 'nothing to be left', timeoutMs: PATIENCE_MS }).catch(() => undefined);
    return left;
  }

  async letters(): Promise<Letter[]> {
    const deadLetters = this.#app.get(DeadLetters);
    return (await Promise.all(PLACES.map((place) => lettersOf(deadLetters, place)))).flat();
  }

  async stop(): Promise<void> {
    this.#direct.close();
    await this.#app.close();
  }

  async #look(): Promise<History['left']> {
    const inspector = this.#app.get(Inspector);
    const lags = await Promise.all(PLACES.map((place) => lagOf(inspector, place)));
    const requests = Number(await this.#direct.controlFor(this.#requests).call('XLEN', this.#requests));
    return { events: lags.reduce((sum, lag) => sum + lag, 0), requests };
  }
}

function topicOf(subject: EventSubject): TopicRef {
  return subject === 'chaos.checked' ? Checked : defineTopic(subject);
}

/** Retries that wait for their time count as well. */
async function lagOf(inspector: Inspector, { topic, group }: Place): Promise<number> {
  return (await inspector.group(topic, group)).lag;
}

async function lettersOf(deadLetters: DeadLetters, { topic, group }: Place): Promise<Letter[]> {
  const records = await deadLetters.list(topic, group, { limit: MOST_LETTERS });
  return records.map(({ payload, reason }) => ({ group, reason, number: (payload as { number?: number }).number ?? -1 }));
}
