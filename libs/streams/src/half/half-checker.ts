import { setMaxListeners } from 'node:events';
import {
  asError, backoffDelayMs, type CheckDefinition, type CheckHandler, type CurveBackoff, emit, errorRecord,
  IdempotencyMismatchError, Loop, type Message, MillraceError, spread, type TransactionChecks, TransactionEndedError,
  type TransactionState, untilAborted,
} from '@millrace/core';
import type { PartitionCounts } from '../log/partition-counts.js';
import { decodeEnvelope } from '../log/envelope.js';
import { partitionsOf } from '../log/topic-log.js';
import { allTurns } from '../log/turns.js';
import type { DueLook, HalfIndex } from './half-index.js';
import { type HalfPlace, type HalfRecord, halfRecordOf } from './half-record.js';
import type { HalfSettler } from './half-settler.js';

/** So late a process may look that has heard of no half message that is due. */
const LOOK_EVERY_MS = 5_000;
/**
 * So often all partitions are looked at: a failover may have lost the index, which is on another server, and kept half messages.
 */
const SWEEP_EVERY_MS = 600_000;
/** How long a look at a partition takes at the most. */
const LOOK_MS = 5_000;
/** How long what a handler has answered is tried. */
const SETTLE_MS = 10_000;
/** The longest pause between two checks, unless `checkAfter` is longer. */
const LONGEST_PAUSE_MS = 600_000;

export interface HalfCheckerParts {
  readonly counts: PartitionCounts;
  readonly index: HalfIndex;
  readonly settler: HalfSettler;
  readonly onStopped: () => void;
}

/** A half message that this process has taken. */
interface Taken {
  readonly id: string;
  readonly partition: number;
  readonly record: HalfRecord;
}

/**
 * Asks the handler of this process how the transactions of half messages ended that are due: taken, for as long as an answer may
 * take -> answered -> committed, rolled back, or put off. One whose process dies in between is taken by another when that time
 * is over.
 */
export class HalfChecker implements TransactionChecks {
  readonly #parts: HalfCheckerParts;
  readonly #definition: CheckDefinition;
  readonly #handler: CheckHandler;
  readonly #loop: Loop;
  readonly #abort = newController();
  #sweepAt = 0;
  /** Time of the next look, by the monotonic clock; infinite while it looks. */
  #nextLookAt = Number.POSITIVE_INFINITY;

  constructor(parts: HalfCheckerParts, definition: CheckDefinition, handler: CheckHandler) {
    this.#parts = parts;
    this.#definition = definition;
    this.#handler = handler;
    this.#loop = new Loop({ name: 'check-halves', round: (signal) => this.#round(signal), onError: (error, failures) => this.#failed(error, failures) });
  }

  start(): void {
    this.#loop.start();
  }

  /** A half message was stored that is due in so many milliseconds: look no later than that. */
  scheduled(dueInMs: number): void {
    if (performance.now() + Math.min(dueInMs, LOOK_EVERY_MS) < this.#nextLookAt) this.#loop.wake();
  }

  async stop(deadlineMs: number): Promise<void> {
    const closed = new MillraceError('CLOSED', 'This process stops: what the check answers does not count any more.');
    const timer = setTimeout(() => this.#abort.abort(closed), deadlineMs);
    await this.#loop.stop();
    clearTimeout(timer);
    this.#parts.onStopped();
  }

  async #round(signal: AbortSignal): Promise<number> {
    this.#nextLookAt = Number.POSITIVE_INFINITY;
    const { topic } = this.#definition;
    if (performance.now() >= this.#sweepAt) await this.#sweep();
    const { nextMs, due } = await this.#parts.index.take(topic, LOOK_MS);
    const taken = signal.aborted ? 0 : await this.#look(due);
    const soonMs = nextMs < 0 ? LOOK_EVERY_MS : nextMs;
    const waitMs = taken > 0 || due.length > 0 ? 0 : Math.max(1, Math.min(spread(LOOK_EVERY_MS), soonMs));
    this.#nextLookAt = performance.now() + waitMs;
    return waitMs;
  }

  /** Has every partition looked at that has half messages to check, also when the index does not know of them. */
  async #sweep(): Promise<void> {
    const { topic } = this.#definition;
    const { counts, settler, index } = this.#parts;
    for (const partition of partitionsOf(counts.topicOf(topic))) {
      if (!(await settler.partitionOf(topic, partition).hasDue())) continue;
      await index.promise(topic, { partition, dueInMs: 0, durability: 'server' });
    }
    this.#sweepAt = performance.now() + spread(SWEEP_EVERY_MS);
  }

  /** @returns how many half messages were taken, all of which are seen to */
  async #look(due: readonly DueLook[]): Promise<number> {
    const { concurrency } = this.#definition;
    const now = due.slice(0, concurrency);
    for (const look of due.slice(concurrency)) await this.#parts.index.done(this.#definition.topic, look, 0);
    const most = Math.max(1, Math.floor(concurrency / Math.max(1, now.length)));
    const counts = await allTurns(now.map((look) => this.#lookAt(look, most)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #lookAt(look: DueLook, most: number): Promise<number> {
    const { topic, timeoutMs } = this.#definition;
    const { index, settler } = this.#parts;
    const { partition } = look;
    const { nextMs, halves } = await settler.partitionOf(topic, partition).take(most, timeoutMs + SETTLE_MS);
    await index.done(topic, look, nextMs);
    await allTurns(halves.map(({ id, text }) => this.#checkStored(id, partition, text)));
    return halves.length;
  }

  async #checkStored(id: string, partition: number, text: string): Promise<void> {
    const record = halfRecordOf(text);
    if (record) await this.#check({ id, partition, record });
    else this.#failed(new MillraceError('MALFORMED_ENVELOPE', `Half message ${id} in partition ${partition} is damaged in Redis, and cannot be checked.`), 1);
  }

  async #check(taken: Taken): Promise<void> {
    const state = await this.#ask(taken);
    try {
      if (state === null) await this.#putOff(taken, { checks: taken.record.checks, inMs: 0 });
      else if (state === 'unknown') await this.#askLater(taken);
      else await this.#settle(taken, state);
    } catch (thrown) {
      // It is taken again when its time is over.
      this.#failed(asError(thrown), 1);
    }
  }

  /** @returns null when the process stops: then it was not asked */
  async #ask({ id, partition, record }: Taken): Promise<TransactionState | null> {
    const { signal } = this.#abort;
    const check = record.checks + 1;
    try {
      const message = decodeEnvelope(record.envelope);
      const half = { message, partition, storedAt: new Date(record.storedAtMs), check, signal };
      const state = await untilAborted(signal, () => this.#handler(half));
      return signal.aborted ? null : state;
    } catch (thrown) {
      if (signal.aborted) return null;
      emit('check-failed', { topic: this.#definition.topic.name, partition, messageId: id, check, error: errorRecord(thrown) });
      return 'unknown';
    }
  }

  async #askLater(taken: Taken): Promise<void> {
    const { terms, storedAtMs, checks: answered } = taken.record;
    const checks = answered + 1;
    const isLast = checks >= terms.checks;
    const done = await this.#putOff(taken, { checks, inMs: isLast ? null : pauseMs(terms.checkAfterMs, checks) });
    if (!done || !isLast) return;
    emit('half-given-up', { topic: this.#definition.topic.name, partition: taken.partition, messageId: taken.id, checks, storedAtMs });
  }

  async #putOff({ id, partition, record }: Taken, { checks, inMs }: { checks: number; inMs: number | null }): Promise<boolean> {
    const { topic } = this.#definition;
    const { settler, index } = this.#parts;
    const done = await settler.partitionOf(topic, partition).putOff(id, { take: record.takes, checks, inMs });
    if (done && inMs !== null) await index.promise(topic, { partition, dueInMs: inMs, durability: 'server' });
    return done;
  }

  async #settle(taken: Taken, state: 'commit' | 'rollback'): Promise<void> {
    const { topic } = this.#definition;
    const { settler } = this.#parts;
    const { id, partition, record } = taken;
    const place = placeIn({ topic, id, partition }, record);
    try {
      if (state === 'commit') await settler.commit(place, SETTLE_MS);
      else await settler.rollback(place, 'check', SETTLE_MS);
    } catch (thrown) {
      // Somebody else has decided meanwhile.
      if (thrown instanceof TransactionEndedError) return;
      if (!(thrown instanceof IdempotencyMismatchError)) throw thrown;
      emit('half-refused', { topic: topic.name, partition, messageId: id, error: errorRecord(thrown) });
    }
  }

  #failed(error: Error, failures: number): void {
    emit('loop-failed', { topic: this.#definition.topic.name, loop: 'check-halves', error: errorRecord(error), failures });
  }
}

/** Each check that is under way listens. */
function newController(): AbortController {
  const abort = new AbortController();
  setMaxListeners(Infinity, abort.signal);
  return abort;
}

/** A half message by its record. */
export function placeIn(at: Pick<HalfPlace, 'topic' | 'id' | 'partition'>, { envelope, terms }: HalfRecord): HalfPlace {
  const { key, idempotencyKey, id }: Message = decodeEnvelope(envelope);
  return { ...at, terms, routingKey: key ?? idempotencyKey ?? id };
}

function pauseMs(checkAfterMs: number, checks: number): number {
  const curve: CurveBackoff = { kind: 'exponential', delayMs: checkAfterMs, maxMs: Math.max(LONGEST_PAUSE_MS, checkAfterMs), jitter: true };
  return backoffDelayMs(curve, checks);
}
