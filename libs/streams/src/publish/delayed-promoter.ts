import { emit, errorRecord, Loop, spread, type TopicDefinition } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { LONGEST_IDLE_PAUSE_MS } from '../group/idle-pause.js';
import { partitionKeys } from '../keys.js';
import { type Page, pagesOf, shareOf } from '../log/pages.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import { partitionsOf } from '../log/topic-log.js';
import { allTurns, turnOf } from '../log/turns.js';
import { boundsOf, type RetainedPartition } from '../retain/retained-partition.js';

const promoteDelayed = loadScript('../scripts/promote-delayed.lua', import.meta.url);

/** Messages that are moved in one call, and partitions that one call works on. */
const MOST_MOVED = 256;
const MOST_PARTITIONS = 64;
/** Where no ring is heard: the process that delays a message looks when it is due, and others in case it is gone by then. */
const LOOK_EVERY_MS = 5_000;
/** Pause before another try while a log is full. */
const FULL_MS = 1_000;

type Reply = 'UNDECLARED' | [full: 'FULL', due: number] | [moved: number, nextMs: number];

/** Partitions that one call works on, and their keys in that order. */
interface KeyedPage extends Page<number> {
  readonly keys: readonly string[];
}

export interface DelayedPromoterParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly topic: TopicDefinition;
  readonly counts: PartitionCounts;
  /** Makes the topic again, when Redis has lost it. */
  readonly declare: () => Promise<void>;
  /** Null when the topic keeps everything. */
  readonly retained: (partition: number) => RetainedPartition | null;
  /** Whether {@link DelayedPromoter.scheduled} is called when another process delays a message. */
  readonly isHeard: () => boolean;
}

/** Moves delayed messages of one topic whose time has come into their logs, where every group finds them. */
export class DelayedPromoter {
  readonly #parts: DelayedPromoterParts;
  readonly #loop: Loop;
  /** Time of the next look, by the monotonic clock, in milliseconds; infinite while it looks. */
  #nextLookAt = Number.POSITIVE_INFINITY;

  constructor(parts: DelayedPromoterParts) {
    this.#parts = parts;
    const { name: topic } = parts.topic;
    this.#loop = new Loop({
      name: 'promote-delayed',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { topic, loop: 'promote-delayed', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** A message was stored that is due in so many milliseconds: look no later than that. */
  scheduled(dueInMs: number): void {
    if (performance.now() + Math.min(dueInMs, LOOK_EVERY_MS) < this.#nextLookAt) this.#loop.wake();
  }

  async #round(): Promise<number> {
    this.#nextLookAt = Number.POSITIVE_INFINITY;
    const waits = await allTurns(this.#pages().map((page) => this.#promote(page)));
    const nextMs = Math.min(...waits);
    const isIdle = nextMs === Number.POSITIVE_INFINITY && this.#parts.isHeard();
    const waitMs = Math.max(1, Math.min(spread(isIdle ? LONGEST_IDLE_PAUSE_MS : LOOK_EVERY_MS), nextMs));
    this.#nextLookAt = performance.now() + waitMs;
    return waitMs;
  }

  #pages(): KeyedPage[] {
    const { redis, prefix, topic, counts } = this.#parts;
    const keysOf = (partition: number): string[] => {
      const { delayed, log, meta } = partitionKeys(prefix, topic.name, partition);
      return [delayed, log, meta];
    };
    const connectionOf = (partition: number): RedisConnection => redis.controlFor(keysOf(partition)[0]!);
    const pages = pagesOf(partitionsOf(counts.topicOf(topic)), MOST_PARTITIONS, connectionOf);
    return pages.map((page) => ({ ...page, keys: page.partitions.flatMap(keysOf) }));
  }

  /** @returns milliseconds until the next look */
  async #promote({ redis, partitions, keys }: KeyedPage): Promise<number> {
    const { topic } = this.#parts;
    const most = shareOf(MOST_MOVED, partitions);
    const args = [most, ...boundsOf(topic.retention)];
    const replies = (await redis.run(promoteDelayed, keys, args)) as Reply[];
    const promoted = partitions.map((partition, index) => this.#promoted(partition, replies[index]!, most));
    return Math.min(...(await allTurns(promoted)));
  }

  async #promoted(partition: number, given: Reply, most: number): Promise<number> {
    const { declare, retained } = this.#parts;
    const reply = turnOf(given, 'promote-delayed');
    if (reply === 'UNDECLARED') {
      await declare();
      return 0;
    }
    if (reply[0] === 'FULL') return (await retained(partition)!.makeRoom(reply[1])).messages > 0 ? 0 : FULL_MS;
    const [moved, nextMs] = reply;
    return moved === most ? 0 : nextMs < 0 ? Number.POSITIVE_INFINITY : nextMs;
  }
}
