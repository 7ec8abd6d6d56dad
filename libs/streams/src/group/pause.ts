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

/** A pause in force. */
export interface PauseState {
  /** By the clock of the process that asked for it; null when that is not known. */
  readonly since: Date | null;
  /** When it ends by itself, by Redis's clock; null: only when it is lifted. */
  readonly until: Date | null;
  /** The name that was given for whoever asked for it; null when there was none. */
  readonly by: string | null;
}

interface PauseTerms {
  /** After so long it ends by itself. Default: only when it is lifted. */
  readonly forMs?: number;
  readonly by?: string | undefined;
}

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

  /** The pause in force; null when there is none. */
  async inForce(): Promise<PauseState | null> {
    const [pause, until, by] = (await this.#redis.call('HMGET', this.#control, 'paused', 'until', 'pausedBy')) as (string | null)[];
    const untilMs = Number(until ?? NEVER);
    if (!pause || untilMs < (await this.#now())) return null;
    return { since: beganAt(pause), until: untilMs >= NEVER ? null : new Date(untilMs), by: nameIn(by ?? '', pause) };
  }

  async begin({ forMs, by }: PauseTerms = {}): Promise<string> {
    const pause = newMessageId();
    const until = forMs === undefined ? NEVER : (await this.#now()) + forMs;
    await this.#redis.call('HSET', this.#control, 'paused', pause, 'until', until, ...(by === undefined ? [] : ['pausedBy', `${pause} ${by}`]));
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

/** A pause has an id like a message, which begins with the time at which it was made. */
function beganAt(pause: string): Date | null {
  const ms = Number.parseInt(pause.replace('-', '').slice(0, 12), 16);
  return Number.isNaN(ms) ? null : new Date(ms);
}

/** The name stays when another pause begins without one, and says then whose it was. */
function nameIn(text: string, pause: string): string | null {
  return text.startsWith(`${pause} `) ? text.slice(pause.length + 1) : null;
}
