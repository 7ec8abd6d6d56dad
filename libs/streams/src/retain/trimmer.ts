import { emit, errorRecord, Loop, type Retention, spread } from '@millrace/core';
import { LONGEST_IDLE_PAUSE_MS } from '../group/idle-pause.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import { partitionsOf } from '../log/topic-log.js';
import type { LogTrim } from './log-trim.js';
import type { RetainedTopic } from './retained-topic.js';

/** How often a partition is trimmed, over all processes. */
const TRIM_EVERY_MS = 1_000;

/** Keeps one topic within its retention. */
export class Trimmer {
  readonly #topic: RetainedTopic;
  readonly #counts: PartitionCounts;
  readonly #log: LogTrim;
  readonly #loop: Loop;
  readonly #isPrompted: boolean;
  /** Partitions that may have something to remove since they were trimmed last. */
  readonly #unfinished = new Set<number>();
  /** When these are trimmed, and when all are, by the monotonic clock, in milliseconds. */
  #trimAt = 0;
  #lookAt = 0;

  constructor(topic: RetainedTopic, counts: PartitionCounts, log: LogTrim) {
    this.#topic = topic;
    this.#counts = counts;
    this.#log = log;
    this.#isPrompted = isPrompted(topic.retention);
    this.#loop = new Loop({
      name: 'trim',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { topic: topic.name, loop: 'trim', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    // Other groups of this process start at the same time, and begin with what is there then.
    if (this.#topic.retention.settled) this.#lookAt = performance.now() + TRIM_EVERY_MS;
    this.#loop.start();
  }

  /** Messages of the partition were settled: there may be something to remove. */
  settled(partition: number): void {
    if (!this.#isPrompted || this.#unfinished.has(partition)) return;
    const isFirst = this.#unfinished.size === 0;
    this.#unfinished.add(partition);
    if (!isFirst) return;
    this.#trimAt = performance.now() + TRIM_EVERY_MS;
    this.#loop.wake();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #round(): Promise<number> {
    this.#lookWhenDue();
    if (this.#unfinished.size > 0 && performance.now() >= this.#trimAt) await this.#trimAll([...this.#unfinished]);
    const nextAt = this.#unfinished.size > 0 ? Math.min(this.#trimAt, this.#lookAt) : this.#lookAt;
    return Math.max(1, nextAt - performance.now());
  }

  #lookWhenDue(): void {
    const now = performance.now();
    if (now < this.#lookAt) return;
    for (const partition of partitionsOf(this.#counts.topicOf(this.#topic))) this.#unfinished.add(partition);
    this.#lookAt = now + (this.#isPrompted ? spread(LONGEST_IDLE_PAUSE_MS) : TRIM_EVERY_MS);
    this.#trimAt = now;
  }

  async #trimAll(partitions: readonly number[]): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#trim(partition)));
    this.#trimAt = performance.now() + TRIM_EVERY_MS;
    this.#lookAt = Math.max(this.#lookAt, this.#trimAt);
  }

  async #trim(partition: number): Promise<void> {
    this.#unfinished.delete(partition);
    try {
      const trimmed = await this.#log.trim({ partition, wanted: 0, everyMs: TRIM_EVERY_MS });
      if (trimmed === 'UNDECLARED' || (trimmed !== 'RECENT' && !trimmed.isUnfinished)) return;
    } catch (error) {
      this.#unfinished.add(partition);
      throw error;
    }
    this.#unfinished.add(partition);
  }
}

/**
 * Whether messages go after settlements alone: age and memory have to be looked at. Where their number is limited, a publish
 * makes room by itself.
 */
function isPrompted({ settled, maxAgeMs, maxBytes }: Retention): boolean {
  return settled && maxAgeMs === null && maxBytes === null;
}
