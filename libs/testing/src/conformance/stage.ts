import { setTimeout } from 'node:timers/promises';
import {
  asError, type BatchHandler, type BatchRule, type Delivery, type DeliveryHandler, messageOf, newMessageId, type Outcome,
  type OutgoingMessage, type Position, type Subscription, type SubscriptionDefinition, type TopicDefinition,
} from '@millrace/core';
import { uniqueName } from '../unique-name.js';
import type { ConformanceHarness, ConformanceInstance, LossyInstance } from './harness.js';

const DEFAULT_PATIENCE_MS = 30_000;
const POLL_MS = 10;
const STOP_MS = 200;
const DAY_MS = 86_400_000;

/** A delivery as its handler saw it: the message of a delivery may be emptied later. */
export interface Seen extends Pick<Delivery, 'message' | 'partition' | 'offset' | 'group' | 'attempt' | 'crashes' | 'replayed' | 'signal'> {
  readonly value: unknown;
  /** When its handler began, by the clock of the harness. */
  readonly atMs: number;
}

/** A subscription, and what it was given so far. */
export interface Listener {
  readonly subscription: Subscription;
  readonly seen: Seen[];
}

export type Answer = (seen: Seen) => Outcome | Promise<Outcome>;

export const ACK: Outcome = { kind: 'ack' };

type Target = Partial<SubscriptionDefinition> & Pick<SubscriptionDefinition, 'topic'>;

/** The stage of one case. Its topics and instances are its own, and end with it. */
export class Stage {
  readonly #harness: ConformanceHarness;
  readonly #opened: ConformanceInstance[] = [];

  constructor(harness: ConformanceHarness) {
    this.#harness = harness;
  }

  get nowMs(): number {
    return this.#harness.nowMs?.() ?? Date.now();
  }

  /** A topic that no other case has. */
  topic(parts: Partial<TopicDefinition> = {}): TopicDefinition {
    return {
      name: uniqueName('conformance'), partitions: 1, idempotencyWindowMs: DAY_MS, idempotencyScope: 'topic', ttlMs: null,
      durability: 'server', retention: null, key: undefined, unknownProperties: undefined, payload: Object, types: new Map(), ...parts,
    };
  }

  async open(): Promise<ConformanceInstance> {
    return this.#add(await this.#harness.open());
  }

  async openLossy(): Promise<LossyInstance> {
    return this.#add(await (this.#harness.openLossy?.() ?? lacking('openLossy')));
  }

  async seek(topic: TopicDefinition, group: string, position: Position): Promise<void> {
    await (this.#harness.seek?.(topic, group, position) ?? lacking('seek'));
  }

  async restart(): Promise<void> {
    await (this.#harness.restart?.() ?? lacking('restart'));
  }

  subscribe({ port }: ConformanceInstance, target: Target, answer: Answer = () => ACK): Promise<Listener> {
    return this.#listen(answer, (handler) => port.subscribe(definitionOf(target), handler));
  }

  broadcast({ port }: ConformanceInstance, topic: TopicDefinition, answer: Answer = () => ACK): Promise<Listener> {
    return this.#listen(answer, (handler) => port.broadcast({ topic, concurrency: 16 }, handler));
  }

  /** @param answer is given each batch, and returns the outcome of each message */
  async subscribeBatch(
    { port }: ConformanceInstance,
    { rule, ...target }: Target & { readonly rule: BatchRule },
    answer: (batch: readonly Seen[]) => readonly Outcome[],
  ): Promise<Subscription> {
    const handler: BatchHandler = (deliveries) => Promise.resolve(answer(deliveries.map((delivery) => this.#saw(delivery))));
    return port.subscribeBatch(definitionOf({ concurrency: 1, ...target }), rule, handler);
  }

  /** Resolves when the condition holds. @throws Error after the patience of the harness */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const patienceMs = this.#harness.patienceMs ?? DEFAULT_PATIENCE_MS;
    const end = this.nowMs + patienceMs;
    let last = 'it did not hold';
    for (;;) {
      try {
        if (await condition()) return;
      } catch (thrown) {
        last = messageOf(asError(thrown));
      }
      if (this.nowMs >= end) throw new Error(`Waited ${patienceMs} ms for ${what}, in vain: ${last}.`);
      await this.sleep(POLL_MS);
    }
  }

  drained(topic: TopicDefinition, ...groups: readonly string[]): Promise<void> {
    const isDrained = async (): Promise<boolean> =>
      (await Promise.all(groups.map((group) => this.#harness.isDrained(topic, group)))).every(Boolean);
    return this.until(isDrained, `${groups.join(', ')} to have nothing left to do`);
  }

  sleep(ms: number): Promise<void> {
    return this.#harness.sleep?.(ms) ?? setTimeout(ms);
  }

  /** Ends all instances. */
  async clear(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((instance) => instance.stop(STOP_MS)));
  }

  #add<Opened extends ConformanceInstance>(instance: Opened): Opened {
    this.#opened.push(instance);
    return instance;
  }

  async #listen(answer: Answer, start: (handler: DeliveryHandler) => Promise<Subscription>): Promise<Listener> {
    const seen: Seen[] = [];
    const subscription = await start(async (delivery) => {
      const one = this.#saw(delivery);
      seen.push(one);
      return answer(one);
    });
    return { subscription, seen };
  }

  #saw(delivery: Delivery): Seen {
    const { partition, offset, group, attempt, crashes, replayed, signal } = delivery;
    const message = { ...delivery.message };
    return { message, value: message.payload, partition, offset, group, attempt, crashes, replayed, signal, atMs: this.nowMs };
  }
}

/** A message with this payload and nothing else, but for `parts`. */
export function outgoing(payload: unknown, parts: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    id: newMessageId(), key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1,
    payloadJson: JSON.stringify(payload), ...parts,
  };
}

/** The payloads 0, 1, ... */
export function numbered(count: number): number[] {
  return Array.from({ length: count }, (_, value) => value);
}

/** Their payloads, which are numbers, in ascending order: messages of one topic may overtake one another. */
export function sortedValues(...listeners: readonly Pick<Listener, 'seen'>[]): number[] {
  return listeners.flatMap(({ seen }) => seen.map(({ value }) => value as number)).sort((a, b) => a - b);
}

export function values({ seen }: Pick<Listener, 'seen'>): unknown[] {
  return seen.map(({ value }) => value);
}

function definitionOf(target: Target): SubscriptionDefinition {
  return { group: 'g', concurrency: 16, crashLimit: 10, ...target };
}

function lacking(name: string): never {
  throw new Error(`This harness has no ${name}(), which a feature that it declares needs.`);
}
