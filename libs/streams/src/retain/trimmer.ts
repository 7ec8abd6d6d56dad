import { emit, errorRecord, Loop } from '@millrace/core';
import type { PartitionCounts } from '../log/partition-counts.js';
import { partitionsOf } from '../log/topic-log.js';
import type { LogTrim } from './log-trim.js';
import type { RetainedTopic } from './retained-topic.js';

/** How often a partition is trimmed, over all processes. */
const TRIM_EVERY_MS = 1_000;

/** Keeps one topic within its retention. */
export class Trimmer {
  readonly #loop: Loop;

  constructor(topic: RetainedTopic, counts: PartitionCounts, log: LogTrim) {
    const trim = (partition: number): Promise<unknown> => log.trim({ partition, wanted: 0, everyMs: TRIM_EVERY_MS });
    this.#loop = new Loop({
      name: 'trim',
      round: async () => {
        await Promise.all(partitionsOf(counts.topicOf(topic)).map(trim));
        return TRIM_EVERY_MS;
      },
      onError: (error, failures) => emit('loop-failed', { topic: topic.name, loop: 'trim', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}
