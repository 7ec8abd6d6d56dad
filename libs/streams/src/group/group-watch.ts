import { isDeepStrictEqual } from 'node:util';
import { emit, errorRecord, Loop } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { readReplays, type Replay, replayAt } from './replays.js';

const watchGroup = loadScript('../scripts/watch-group.lua', import.meta.url);

const LOOK_EVERY_MS = 500;
/** While this member puts a pause into effect, somebody waits for it. */
const LOOK_SOON_MS = 50;

export interface GroupWatchParts {
  readonly redis: RedisConnection;
  readonly member: string;
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
    return replayAt(this.#replays.get(partition) ?? [], offset);
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** @returns milliseconds until the next look */
  async look(): Promise<number> {
    const { redis, member, partitions } = this.#parts;
    const pause = String(await redis.run(watchGroup, [partitions[0]!.groupKeys.control], [member, this.#quiet]));
    if (pause !== this.#pause) await this.#change(pause);
    return pause !== '' && this.#quiet !== pause ? LOOK_SOON_MS : LOOK_EVERY_MS;
  }

  /** A group is moved only while it is paused, so what it is given again is known before it goes on. */
  async #change(pause: string): Promise<void> {
    await Promise.all(this.#parts.partitions.map((partition) => this.learnReplay(partition)));
    const wasPaused = this.#pause !== null && this.#pause !== '';
    this.#pause = pause;
    this.#quiet = '';
    if (pause !== '') void this.#putIntoEffect(pause);
    else if (wasPaused) this.#parts.resume();
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
