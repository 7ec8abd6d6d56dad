import { setTimeout as wait } from 'node:timers/promises';
import { newMessageId } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { controlText } from '../ring/ring-text.js';
import type { Members } from './members.js';

const liftPause = loadScript('../scripts/lift-pause.lua', import.meta.url);

const LOOK_EVERY_MS = 50;
/** The end of a pause without an end. It is stored as well, to replace the end of an earlier pause. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** Pauses a whole group, by a mark in its first partition that every member sees and answers. */
export class Pause {
  readonly #redis: RedisConnection;
  readonly #members: Members;
  readonly #partition: GroupPartition;
  readonly #control: string;

  /** @param partition the first of the group */
  constructor(redis: RedisConnection, members: Members, partition: GroupPartition) {
    this.#redis = redis;
    this.#members = members;
    this.#partition = partition;
    this.#control = partition.groupKeys.control;
  }

  async isOn(): Promise<boolean> {
    const [pause, until] = (await this.#redis.call('HMGET', this.#control, 'paused', 'until')) as (string | null)[];
    return Boolean(pause) && Number(until ?? NEVER) >= (await this.#now());
  }

  /** @param forMs after so long it ends by itself; undefined: only when it is lifted */
  async begin(forMs?: number): Promise<string> {
    const pause = newMessageId();
    const until = forMs === undefined ? NEVER : (await this.#now()) + forMs;
    await this.#redis.call('HSET', this.#control, 'paused', pause, 'until', until);
    await this.#ring();
    return pause;
  }

  /**
   * @param pause the one that {@link begin} returned: a later pause stays then; left out: the one that is in force, and members
   *   go on whose handlers failed too often
   */
  async lift(pause = ''): Promise<void> {
    await this.#redis.run(liftPause, [this.#control, this.#partition.groupKeys.broken], [pause]);
    await this.#ring();
  }

  /** A member that misses the ring looks a little later. */
  async #ring(): Promise<void> {
    const { keys, group } = this.#partition;
    await this.#redis.call('SPUBLISH', keys.ring, controlText(group)).catch(() => 0);
  }

  /**
   * Waits until every living member has answered this pause, or the one that took its place: it holds nothing any more.
   *
   * @returns the members that have not, when the time is up
   */
  async quiet(pause: string, withinMs: number): Promise<readonly string[]> {
    const until = performance.now() + withinMs;
    for (;;) {
      const busy = await this.#busy(pause);
      if (busy.length === 0 || performance.now() >= until) return busy;
      await wait(LOOK_EVERY_MS);
    }
  }

  async #busy(pause: string): Promise<string[]> {
    const living = await this.#members.living(this.#partition);
    if (living.length === 0) return [];
    const fields = ['paused', ...living.map((member) => `quiet:${member}`)];
    const [inForce, ...quiet] = (await this.#redis.call('HMGET', this.#control, ...fields)) as (string | null)[];
    return living.filter((_, index) => quiet[index] !== (inForce ?? pause));
  }

  async #now(): Promise<number> {
    const [seconds, micros] = (await this.#redis.call('TIME')) as [string, string];
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }
}
