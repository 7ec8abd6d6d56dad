import type { RedisArgument, RedisConnection } from '@millrace/redis';
import { pairs } from './hash.js';
import type { Run } from './shared-mode.js';
import type { Stored } from './stream.js';
import { nameOf } from './view.js';

/** Scores of waiting messages, in the order in which they were scheduled: first those that are due. */
const RIPE = 1;
const UNRIPE = 10 ** 15;

/** Replaces the due times of waiting messages: messages that are due in the same millisecond would have no order. */
export class DueScores {
  readonly #redis: RedisConnection;
  readonly #key: string;
  #scheduled = 0;

  constructor(redis: RedisConnection, key: string) {
    this.#redis = redis;
    this.#key = key;
  }

  /** Members of `due` in the order in which they were scheduled. */
  async rows(): Promise<[member: string, isRipe: boolean][]> {
    const order = (score: number): number => (score >= UNRIPE ? score - UNRIPE + RIPE : score);
    const rows = (await this.#rows()).sort(([, one], [, other]) => order(one) - order(other));
    return rows.map(([member, score]) => [member, score < UNRIPE]);
  }

  /** Makes all waiting messages due. */
  async ripen(): Promise<void> {
    for (const [member, score] of await this.#rows()) if (score >= UNRIPE) await this.#call('ZADD', this.#key, score - UNRIPE + RIPE, member);
  }

  /**
   * Gives scores to new members: first, in their order, to those that the call asked for, then to all others.
   *
   * @throws Error when the script set another time than now or an hour from now
   */
  async set(runs: readonly Run[] = []): Promise<void> {
    const asked = runs.flatMap((run) => namesOf(run));
    const place = ([member]: [string, number]): number => (asked.includes(member) ? asked.indexOf(member) : asked.length);
    // A script gives milliseconds since 1970; ours are far below and far above.
    const fresh = (await this.#rows()).filter(([, score]) => score >= 10 ** 12 && score < UNRIPE);
    for (const [member, score] of fresh.sort((one, other) => place(one) - place(other))) {
      const late = score - Date.now();
      const isRipe = Math.abs(late) < 60_000;
      if (!isRipe && Math.abs(late - 3_600_000) > 60_000) throw new Error(`A waiting message is scheduled ${late} ms from now.`);
      await this.#call('ZADD', this.#key, (isRipe ? RIPE : UNRIPE) + (this.#scheduled += 1), member);
    }
  }

  async #rows(): Promise<[string, number][]> {
    const rows = pairs((await this.#call('ZRANGE', this.#key, 0, -1, 'WITHSCORES')) as string[]);
    return rows.map(([member, score]) => [member, Number(score)]);
  }

  #call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#redis.call(command, ...args);
  }
}

/** The members that a run may schedule: an offset, or a copy. */
function namesOf({ messages: [message], outcome, first, second }: Run): string[] {
  if (outcome === 'retry') return namesFor(message!, second);
  return outcome === 'release' ? namesFor(message!, first) : [];
}

function namesFor({ offset, envelope }: Stored, waiting: string): string[] {
  if (waiting.startsWith('[')) return [waiting];
  const [attempt, crashes] = waiting.split(' ').map(Number);
  return [nameOf(offset), JSON.stringify([offset, attempt, crashes, null, envelope])];
}
