import { isDeepStrictEqual } from 'node:util';
import { emit, errorRecord, Loop } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { readReplays, type Replay, replayAt } from './replays.js';

const watchGroup = loadScript('../scripts/watch-group.lua', import.meta.url);

const LOOK_EVERY_MS = 500;
/** While this member puts a pause into effect, somebody waits for it. */
const LOOK_SOON_MS = 50;
/** A member that looked this lately is no such one, however short its lease. */
const SURELY_SEEN_MS = 2 * LOOK_EVERY_MS;

export interface GroupWatchParts {
  readonly redis: RedisConnection;
  readonly member: string;
  readonly leaseMs: number;
  readonly partitions: readonly GroupPartition[];
  /** The group was paused: resolves when this member holds nothing any more. */
  readonly pause: () => Promise<void>;
  readonly resume: () => void;
  /** A partition is given again what it was given before. */
  readonly replaying: (partition: GroupPartition) => void;
}

/** Sees what operators want of the group, puts it into effect, and says so. */
export class GroupWatch {
  readonly #parts: GroupWatchParts;
  readonly #loop: Loop;
  readonly #replays = new Map<GroupPartition, readonly Replay[]>();
  /** The pause in force, or ''; null before the first look. */
  #pause: string | null = null;
  /** The pause that has been put into effect. */
  #quiet = '';
  /** When it looked last, by the monotonic clock. */
  #lookedAt = performance.now();

  constructor(parts: GroupWatchParts) {
    this.#parts = parts;
    const { topic, group } = parts.partitions[0]!;
    this.#loop = new Loop({
      name: 'watch',
      round: () => this.look(),
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'watch', error: errorRecord(error), failures }),
    });
  }

  /** The number of the seek that the group is given this offset again by; null when there was none. */
  replayOf(partition: GroupPartition, offset: number): number | null {
    const replays = this.#replays.get(partition);
    return replays ? replayAt(replays, offset) : null;
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** A seek does not wait for a member that was silent for its lease: one that stood still for so long may have missed it. */
  get mayHaveMissed(): boolean {
    return performance.now() - this.#lookedAt > Math.max(this.#parts.leaseMs / 2, SURELY_SEEN_MS);
  }

  /** @returns milliseconds until the next look */
  async look(): Promise<number> {
    const { redis, member, partitions } = this.#parts;
    const at = performance.now();
    if (this.mayHaveMissed) await this.#learnReplays();
    const pause = String(await redis.run(watchGroup, [partitions[0]!.groupKeys.control], [member, this.#quiet]));
    if (pause !== this.#pause) await this.#change(pause);
    this.#lookedAt = at;
    return pause !== '' && this.#quiet !== pause ? LOOK_SOON_MS : LOOK_EVERY_MS;
  }

  /** A group is moved only while it is paused, so what it is given again is known before it goes on. */
  async #change(pause: string): Promise<void> {
    await this.#learnReplays();
    const wasPaused = this.#pause !== null && this.#pause !== '';
    this.#pause = pause;
    this.#quiet = '';
    if (pause !== '') void this.#putIntoEffect(pause);
    else if (wasPaused) this.#parts.resume();
  }

  async #learnReplays(): Promise<void> {
    await Promise.all(this.#parts.partitions.map((partition) => this.learnReplay(partition)));
  }

  /** Looks what a seek asked for in this partition: it is gone when the log began anew, or with the primary that knew of it. */
  async learnReplay(partition: GroupPartition): Promise<void> {
    const replays = await readReplays(this.#parts.redis, partition);
    if (isDeepStrictEqual(this.#replays.get(partition) ?? [], replays)) return;
    this.#replays.set(partition, replays);
    this.#parts.replaying(partition);
  }

  async #putIntoEffect(pause: string): Promise<void> {
    await this.#parts.pause();
    if (this.#pause === pause) this.#quiet = pause;
  }
}
