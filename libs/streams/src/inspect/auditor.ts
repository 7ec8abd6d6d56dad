import { emit, errorRecord, Loop } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';

const audit = loadScript('../scripts/audit.lua', import.meta.url);

const LOOK_EVERY_MS = 5_000;

export interface AuditorParts {
  readonly redis: RedisConnection;
  readonly leaseMs: number;
  readonly partitions: readonly GroupPartition[];
}

/** Looks for messages that are gone from Redis before the group was done with them: a jump in the offsets is a loss. */
export class Auditor {
  readonly #parts: AuditorParts;
  readonly #loop: Loop;

  constructor(parts: AuditorParts) {
    this.#parts = parts;
    const { topic, group } = parts.partitions[0]!;
    this.#loop = new Loop({
      name: 'audit',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'audit', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #round(): Promise<number> {
    await Promise.all(this.#parts.partitions.map((partition) => this.#audit(partition)));
    return Math.min(LOOK_EVERY_MS, this.#parts.leaseMs);
  }

  async #audit({ topic, partition, group, keys, groupKeys }: GroupPartition): Promise<void> {
    const { stats, open, due, retryLog } = groupKeys;
    const all = [keys.log, keys.meta, keys.groups, stats, open, due, retryLog];
    const lost = Number(await this.#parts.redis.run(audit, all, [group]));
    if (lost > 0) emit('lost', { topic, partition, group, count: lost, why: 'gone from Redis before this group was done with them' });
  }
}
