import { emit, errorRecord, Loop } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';

const promote = loadScript('../scripts/promote.lua', import.meta.url);

const PAGE = 100;
/** How late a retry may be that another member scheduled just after we looked. */
const LOOK_EVERY_MS = 1_000;

export interface PromoterParts {
  readonly redis: RedisConnection;
  readonly partitions: readonly GroupPartition[];
  readonly recover: (partition: GroupPartition) => Promise<void>;
}

/** Moves retries whose time has come into the group's retry log, where any member fetches them. */
export class Promoter {
  readonly #parts: PromoterParts;
  readonly #loop: Loop;

  constructor(parts: PromoterParts) {
    this.#parts = parts;
    const { topic, group } = parts.partitions[0]!;
    this.#loop = new Loop({
      name: 'promote',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'promote', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** A retry was scheduled: look when it is due. */
  wake(): void {
    this.#loop.wake();
  }

  async #round(): Promise<number> {
    const waits = await Promise.all(this.#parts.partitions.map((partition) => this.#promote(partition)));
    return Math.max(1, Math.min(LOOK_EVERY_MS, ...waits));
  }

  /** @returns milliseconds until there is something to do */
  async #promote(partition: GroupPartition): Promise<number> {
    const { due, retryLog } = partition.groupKeys;
    const reply = (await this.#parts.redis.run(promote, [due, retryLog], [PAGE])) as [number, number] | 'UNDECLARED';
    if (reply === 'UNDECLARED') {
      await this.#parts.recover(partition);
      return 0;
    }
    const [moved, nextMs] = reply;
    return moved === PAGE ? 0 : nextMs < 0 ? LOOK_EVERY_MS : nextMs;
  }
}
