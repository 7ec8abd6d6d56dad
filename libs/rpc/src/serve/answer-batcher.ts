import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { emit, errorRecord } from '@millrace/core';
import { loadScript, type RedisConnection, RedisFailure, type Topology } from '@millrace/redis';
import { inboxKey, SERVERS } from '../keys.js';
import { boundedBatches } from '../wire/bounded-batches.js';
import { isFailure } from '../wire/answer-frame.js';
import { type AnswerCall, answerCallOf, headOf, inboxesOf } from './answer-call.js';
import type { Certainty } from './certainty.js';
import type { RedisClock } from './redis-clock.js';
import type { ServerCounters } from './server-counters.js';
import type { SettledStream, Settlement } from './settlement.js';

const answer = loadScript('../scripts/answer.lua', import.meta.url);
const answerOne = loadScript('../scripts/answer-one.lua', import.meta.url);

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** How long an answer is kept whose inbox is not there: longer than callers take to notice that. */
const KEPT_FOR_MS = 1_500;
/** Most answers that are kept so. */
const MOST_KEPT = 1_024;

export interface AnswerParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly clock: RedisClock;
  readonly certainty: Certainty;
  readonly counters: ServerCounters;
}

/**
 * Settles requests and writes their answers: those of one tick and one stream go together. It tries until Redis has taken
 * them, or until they are abandoned; a request that is settled already is answered by nobody else's word.
 */
export class AnswerBatcher {
  readonly #parts: AnswerParts;
  readonly #abandoned = new AbortController();
  readonly #flushing = new Set<Promise<void>>();
  readonly #flushNow = (): void => this.#flush();
  #waiting = new Map<SettledStream, Settlement[]>();
  #kept = 0;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    // Any number of answers may wait for Redis.
    setMaxListeners(0, this.#abandoned.signal);
  }

  add(settlement: Settlement): void {
    if (this.#waiting.size === 0) process.nextTick(this.#flushNow);
    const items = this.#waiting.get(settlement.stream);
    if (items) items.push(settlement);
    else this.#waiting.set(settlement.stream, [settlement]);
  }

  /** Answers a request that is in no stream any more. */
  post(answer: Pick<Settlement, 'inbox' | 'field' | 'value'>): Promise<void> {
    return this.#post(answer);
  }

  /** Resolves when all that was added is settled, or abandoned. */
  async flushed(): Promise<void> {
    this.#flush();
    while (this.#flushing.size > 0) await Promise.all(this.#flushing);
  }

  /** Stops trying: others take over the requests that are not settled by now. */
  abandon(): void {
    this.#abandoned.abort();
  }

  #flush(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [stream, items] of waiting) {
      for (const batch of boundedBatches(items, sizeOf)) {
        for (const share of this.#sharesOf(stream, batch)) {
          const settling = this.#settle(stream, share).finally(() => this.#flushing.delete(settling));
          this.#flushing.add(settling);
        }
      }
    }
  }

  /** An inbox that no script may touch together with the stream is apart: its node may be away, which delays no other answers. */
  #sharesOf(stream: SettledStream, items: readonly Settlement[]): Share[] {
    const connection = this.#parts.redis.publishFor(stream.key);
    const inboxes = inboxesOf(items);
    const apart = inboxes.filter((inbox) => this.#connectionOf(inbox) !== connection);
    if (apart.length === 0) return [{ items, inboxes, apart: null }];
    const shares = apart.map((inbox): Share => {
      return { items: items.filter((item) => item.inbox === inbox), inboxes: [], apart: inbox };
    });
    const rest = items.filter(({ inbox }) => !apart.includes(inbox));
    if (rest.length > 0) shares.push({ items: rest, inboxes: inboxesOf(rest), apart: null });
    return shares;
  }

  async #settle(stream: SettledStream, { items, inboxes, apart }: Share): Promise<void> {
    const connection = this.#parts.redis.publishFor(stream.key);
    // The inbox gets its answers before the requests are settled: none is lost in between.
    const isDropped = apart !== null && !(await this.#add(apart, items.flatMap(({ field, value }) => [field, value])));
    const call = answerCallOf(items, { prefix: this.#parts.prefix, key: stream.key, inboxes });
    let isRepeated = false;
    await this.#insist(connection, async () => {
      const wasSent = isRepeated;
      isRepeated = true;
      const isUnsure = wasSent || this.#isUnsure(items);
      const isPlain = items.length === 1 && call.keys.length === 2 && !isUnsure && !this.#parts.clock.isSampleDue;
      const letters = await (isPlain ? answeredOne(connection, call) : this.#answered(connection, call, isUnsure));
      this.#settled(call.items, isDropped ? letters.replaceAll('S', 'D') : letters, wasSent);
    });
  }

  async #answered(connection: RedisConnection, { keys, args }: AnswerCall, isUnsure: boolean): Promise<string> {
    const sentAtMs = performance.now();
    const [letters, redisMs] = (await connection.run(answer, keys, [...headOf(isUnsure), ...args])) as [string, number];
    this.#parts.clock.sample(redisMs, sentAtMs);
    return letters;
  }

  /** Whether other instances may have taken some of them over. */
  #isUnsure(items: readonly Settlement[]): boolean {
    const { isSure, epoch } = this.#parts.certainty;
    return !isSure || items.some(({ readIn }) => readIn !== epoch);
  }

  async #post({ inbox, field, value }: Pick<Settlement, 'inbox' | 'field' | 'value'>): Promise<void> {
    if (!(await this.#add(inbox, [field, value]))) this.#parts.counters.droppedAnswers += 1;
  }

  /** @returns whether the inbox has them, or nobody insists any more */
  async #add(inbox: string, fields: readonly string[]): Promise<boolean> {
    const connection = this.#connectionOf(inbox);
    const key = inboxKey(this.#parts.prefix, inbox);
    let isThere = true;
    await this.#insist(connection, async () => {
      isThere = (await connection.call('XADD', key, 'NOMKSTREAM', '*', ...fields).catch(refusedForever)) !== null;
    });
    return isThere;
  }

  async #insist(connection: RedisConnection, attempt: () => Promise<void>): Promise<void> {
    const { signal } = this.#abandoned;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await attempt();
        return;
      } catch (thrown) {
        report(thrown);
        await connection.whenReady(pauseMs, signal);
        await setTimeout(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #settled(items: readonly Settlement[], letters: string, isRepeated: boolean): void {
    const { counters } = this.#parts;
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index]!;
      const letter = letters[index];
      item.stream.letGo(item.entryId);
      if (item.field === '') continue;
      if (letter === 'D') void this.#postLater(item);
      // An answer whose reply was lost is refused when it is sent again: it was written.
      else if (letter === 'F' && !isRepeated) counters.fenced += 1;
      else if (isFailure(item.field)) counters.failed += 1;
      else counters.answered += 1;
    }
  }

  /** An inbox that vanished is made again soon by its caller, if that is alive. */
  async #postLater(answer: Settlement): Promise<void> {
    const { signal } = this.#abandoned;
    if (this.#kept >= MOST_KEPT || signal.aborted) this.#parts.counters.droppedAnswers += 1;
    else {
      this.#kept += 1;
      await setTimeout(KEPT_FOR_MS, undefined, { signal, ref: false }).catch(() => undefined);
      this.#kept -= 1;
      if (signal.aborted) this.#parts.counters.droppedAnswers += 1;
      else await this.#post(answer);
    }
  }

  #connectionOf(inbox: string): RedisConnection {
    return this.#parts.redis.publishFor(inboxKey(this.#parts.prefix, inbox));
  }
}

/** Requests of one stream that are settled together. */
interface Share {
  readonly items: readonly Settlement[];
  /** Those that are answered to in the same call. */
  readonly inboxes: readonly string[];
  /** The one that all their answers go to before that; null for those in `inboxes`. */
  readonly apart: string | null;
}

/** @param call one request, and the inbox that it is answered to */
function answeredOne(connection: RedisConnection, { keys, items }: AnswerCall): Promise<string> {
  const { entryId, field, value } = items[0]!;
  return connection.run(answerOne, keys, [SERVERS, entryId, field, value]) as Promise<string>;
}

/** A forged address may lead to a key of another type: nothing is ever added there. @returns null */
function refusedForever(thrown: unknown): null {
  if (!(thrown instanceof RedisFailure) || thrown.kind !== 'fatal') throw thrown;
  report(thrown);
  return null;
}

function report(thrown: unknown): void {
  emit('loop-failed', { loop: 'rpc-answer', error: errorRecord(thrown), failures: 1 });
}

function sizeOf({ value }: Settlement): number {
  return value.length;
}
