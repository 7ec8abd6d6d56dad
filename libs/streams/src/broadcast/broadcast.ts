import {
  BROADCAST_GROUP, type BroadcastDefinition, type Delivery, type DeliveryHandler, emit, errorRecord, eventChannel, handledAs,
  isExpired, Lease, Loop, type Message, messageTimeMs, MillraceError, type Outcome, spread, type Subscription,
  type SubscriptionLoad, traceIdOf,
} from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { decodeEnvelope } from '../log/envelope.js';
import type { TopicLog } from '../log/topic-log.js';
import type { Rings } from '../ring/rings.js';
import { type FollowedEntry, LogFollower } from './log-follower.js';
import { DelayedRetries } from './delayed-retries.js';
import { Slots } from './slots.js';

export interface BroadcastParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly log: TopicLog;
  readonly rings: Rings;
  /** Called when the broadcast was stopped and nothing of it runs any more. */
  readonly onStopped: () => void;
}

const FETCHED = eventChannel('fetched');
const HANDLED = eventChannel('handled');
const READY_WAIT_MS = 1_000;
/** Delay of a retry that is due while the broadcast is paused. */
const PAUSED_RETRY_MS = 1_000;
/** How often to look whether the topic has more partitions. Nobody rings for a broadcast, which has no group. */
const LOOK_EVERY_MS = 5_000;

/** One message on its way to the handler of this process. */
interface Item {
  readonly message: Message;
  readonly partition: number;
  readonly offset: number;
  readonly attempt: number;
}

/** Follows a topic for one process: it reads messages, handles them, and retries those that fail. It stores nothing in Redis. */
export class Broadcast implements Subscription {
  readonly #definition: BroadcastDefinition;
  readonly #handler: DeliveryHandler;
  readonly #parts: BroadcastParts;
  #followers: readonly LogFollower[];
  /** How many partitions the followers read. */
  #partitions: number;
  readonly #slots: Slots;
  readonly #retries = new DelayedRetries<Item>((item) => this.#begin(item));
  #loops: readonly Loop[];
  readonly #growth: Loop;
  /** The lease of all messages that handlers are at work on, until the process stops. */
  readonly #lease = new Lease();
  readonly #pausedBy = new Set<'process' | 'stop'>();
  /** Why a follower reads nothing. */
  readonly #problems = new Map<LogFollower, string>();
  #polledAtMs = 0;

  private constructor(parts: BroadcastParts, definition: BroadcastDefinition, handler: DeliveryHandler) {
    this.#parts = parts;
    this.#definition = definition;
    this.#handler = handler;
    this.#partitions = definition.topic.partitions;
    this.#followers = LogFollower.ofTopic(parts, definition.topic);
    this.#slots = new Slots(definition.concurrency);
    this.#loops = this.#followers.map((follower) => this.#loopOf(follower));
    this.#growth = new Loop({ name: 'grow', round: (signal) => this.#grow(signal), onError: (error, failures) => this.#report('grow', error, failures) });
  }

  static async start(parts: BroadcastParts, definition: BroadcastDefinition, handler: DeliveryHandler): Promise<Broadcast> {
    const topic = await parts.log.declare(definition.topic);
    const broadcast = new Broadcast(parts, { ...definition, topic }, handler);
    try {
      await Promise.all(broadcast.#followers.map((follower) => follower.start()));
    } catch (error) {
      for (const follower of broadcast.#followers) follower.close();
      throw error;
    }
    for (const loop of [...broadcast.#loops, broadcast.#growth]) loop.start();
    return broadcast;
  }

  get pausedBy(): readonly ('process' | 'stop')[] {
    return [...this.#pausedBy];
  }

  load(): SubscriptionLoad {
    const { topic: { name: topic }, concurrency: limit } = this.#definition;
    const polledAtMs = this.#slots.isFree ? this.#polledAtMs : Date.now();
    return { topic, group: BROADCAST_GROUP, inFlight: this.#slots.running, limit, polledAtMs };
  }

  problem(): string | null {
    const [problem] = this.#problems.values();
    return problem ?? null;
  }

  async pause(): Promise<void> {
    this.#hold('process');
    await this.#slots.idle();
  }

  resume(): void {
    this.#pausedBy.delete('process');
    if (this.#pausedBy.size === 0) this.#slots.open();
  }

  /** No handler starts from now on; those at work may finish until the deadline. All other messages are dropped. */
  async stop(deadlineMs: number): Promise<void> {
    this.#hold('stop');
    this.#retries.clear();
    await this.#growth.stop();
    for (const follower of this.#followers) follower.close();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    if (!(await this.#slots.idle(deadlineMs))) this.#lease.giveUp(stopped(this.#definition.topic.name));
    this.#parts.onStopped();
  }

  #hold(by: 'process' | 'stop'): void {
    this.#pausedBy.add(by);
    this.#slots.close();
  }

  #loopOf(follower: LogFollower): Loop {
    return new Loop({
      name: 'follow',
      round: (signal) => this.#round(follower, signal),
      onError: (error, failures) => {
        this.#problems.set(follower, error.message);
        this.#report('follow', error, failures);
      },
    });
  }

  #report(loop: string, error: Error, failures: number): void {
    const { name: topic } = this.#definition.topic;
    emit('loop-failed', { topic, group: BROADCAST_GROUP, loop, error: errorRecord(error), failures });
  }

  /** Follows partitions that the topic was given since, from their beginning on: all in them is newer than this broadcast. */
  async #grow(signal: AbortSignal): Promise<number> {
    const topic = await this.#parts.log.learn(this.#definition.topic);
    if (topic.partitions <= this.#partitions || signal.aborted) return spread(LOOK_EVERY_MS);
    const followers = LogFollower.ofTopic(this.#parts, topic, this.#partitions);
    try {
      await Promise.all(followers.map((follower) => follower.startAtBeginning()));
    } catch (error) {
      for (const follower of followers) follower.close();
      throw error;
    }
    const loops = followers.map((follower) => this.#loopOf(follower));
    this.#followers = [...this.#followers, ...followers];
    this.#loops = [...this.#loops, ...loops];
    this.#partitions = topic.partitions;
    for (const loop of loops) loop.start();
    return spread(LOOK_EVERY_MS);
  }

  async #round(follower: LogFollower, signal: AbortSignal): Promise<number> {
    await follower.whenDue(signal);
    await this.#slots.free(signal);
    if (signal.aborted) return 0;
    if (!(await follower.whenReady(READY_WAIT_MS, signal))) {
      this.#problems.set(follower, 'there is no connection to Redis');
      return 0;
    }
    const entries = await follower.read(this.#definition.concurrency);
    this.#problems.delete(follower);
    if (this.#problems.size === 0) this.#polledAtMs = Date.now();
    const items = entries.flatMap((entry) => this.#itemsOf(entry));
    if (FETCHED.hasSubscribers && items.length > 0) {
      FETCHED.publish({ topic: this.#definition.topic.name, group: BROADCAST_GROUP, count: items.length, redelivered: 0 });
    }
    for (const item of items) {
      while (!this.#slots.isFree && !signal.aborted) await this.#slots.free(signal);
      if (signal.aborted) return 0;
      this.#begin(item);
    }
    return 0;
  }

  /** Unreadable messages are reported and dropped here; the groups of the topic keep them among their dead letters. */
  #itemsOf({ partition, base, envelopes }: FollowedEntry): Item[] {
    return envelopes.flatMap((envelope, index) => {
      const place = { partition, offset: base + index, attempt: 1 };
      try {
        return [{ ...place, message: decodeEnvelope(envelope) }];
      } catch (thrown) {
        this.#reportFailure({ ...place, message: null }, { kind: 'dead-letter', reason: 'MALFORMED_ENVELOPE', error: errorRecord(thrown) });
        return [];
      }
    });
  }

  #begin(item: Item): void {
    if (this.#pausedBy.has('stop')) return;
    if (this.#pausedBy.size > 0) return this.#retries.add(item, PAUSED_RETRY_MS);
    if (isExpired(item.message)) return;
    const prefiltered = this.#definition.prefilter?.(item.message) ?? null;
    if (prefiltered) this.#end(item, prefiltered);
    else this.#slots.take(() => this.#handle(item));
  }

  async #handle(item: Item): Promise<void> {
    const begunAtMs = HANDLED.hasSubscribers ? performance.now() : 0;
    const outcome = await this.#handler(this.#deliveryOf(item)).catch(defect);
    if (begunAtMs > 0) this.#tellHandled(item, outcome, begunAtMs);
    this.#end(item, outcome);
  }

  #end(item: Item, outcome: Outcome): void {
    this.#reportFailure(item, outcome);
    if (outcome.kind === 'release') this.#begin(item);
    if (outcome.kind === 'retry' && !this.#pausedBy.has('stop')) this.#retries.add({ ...item, attempt: item.attempt + 1 }, outcome.delayMs);
  }

  #tellHandled({ message, partition, attempt }: Item, outcome: Outcome, begunAtMs: number): void {
    const place = { topic: this.#definition.topic.name, group: BROADCAST_GROUP, partition, attempt };
    const times = { durationMs: performance.now() - begunAtMs, ageMs: Math.max(0, Date.now() - messageTimeMs(message.id)) };
    const as = handledAs(outcome);
    HANDLED.publish({ ...place, ...as, ...(outcome.kind === 'dead-letter' ? { outcome: 'given-up' } : {}), ...times });
  }

  #deliveryOf({ message, partition, offset, attempt }: Item): Delivery {
    const place = { topic: this.#definition.topic.name, partition, offset, group: BROADCAST_GROUP };
    return { message, ...place, attempt, crashes: 0, replayed: false, lease: this.#lease, signal: this.#lease.signal };
  }

  #reportFailure({ message, partition, attempt }: Omit<Item, 'message'> & { message: Message | null }, outcome: Outcome): void {
    if (outcome.kind === 'ack' || outcome.kind === 'release') return;
    const { name: topic } = this.#definition.topic;
    const traceId = traceIdOf(message?.headers ?? {});
    const place = { topic, partition, group: BROADCAST_GROUP, messageId: message?.id ?? '', attempt, traceId };
    if (outcome.kind === 'retry') emit('attempt-failed', { ...place, error: outcome.error, outcome: 'retry', delayMs: outcome.delayMs });
    else emit('attempt-failed', { ...place, error: outcome.error, outcome: 'given-up' });
  }
}

function stopped(topic: string): MillraceError {
  return new MillraceError(
    'CLOSED',
    `The broadcast of topic '${topic}' is being stopped in this process and its time is up: nothing that follows counts. Stop.`,
  );
}

function defect(thrown: unknown): Outcome {
  return { kind: 'dead-letter', reason: 'HANDLER_DEFECT', error: errorRecord(thrown) };
}
