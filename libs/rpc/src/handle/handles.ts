import { setTimeout } from 'node:timers/promises';
import { assertName, emit, errorRecord, isMillraceError, MillraceError, newMessageId, quote } from '@millrace/core';
import { COMMAND_TIMEOUT_MS, loadScript, RedisFailure, type Topology } from '@millrace/redis';
import type { Caller } from '../call/caller.js';
import { type OutgoingCall, refusalOf } from '../call/outgoing-call.js';
import { RpcCancelledError, RpcIndefiniteError, RpcTimeoutError } from '../errors.js';
import { handleInbox, inboxKey } from '../keys.js';
import type { CalledMethod } from '../monitor/call-monitor.js';
import { errorOf } from '../wire/error-answer.js';
import { HandleEntries, type HandledAnswer, type HandleEntry, isResult } from './handle-entries.js';
import { type HandledCall, handleText, isSameMethod } from './handle-text.js';

const openHandle = loadScript('../scripts/open-handle.lua', import.meta.url);
const dropHandle = loadScript('../scripts/drop-handle.lua', import.meta.url);
const lookAtHandle = loadScript('../scripts/look-at-handle.lua', import.meta.url);

/** How long a result is kept behind the deadline of its call, in milliseconds. */
const DEFAULT_KEEP_MS = 600_000;
/** How long Redis may take to accept the request. */
const SEND_MS = 10_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;
/** The answer to a call may be on its way when its deadline is over. */
const GRACE_MS = 1_000;
/** Most entries that are read, the newest: the last start, its answer, and what repeated requests added. */
const MOST_ENTRIES = 16;

export interface HandlesParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly caller: Caller;
  readonly keepMs?: number | undefined;
}

/** A call whose result is fetched later. */
export interface StartedCall extends CalledMethod {
  /** By which the result is fetched. */
  readonly id: string;
}

export interface ResultWait {
  /** How long to wait for the result, in milliseconds; with 0 it is looked at once. */
  readonly timeoutMs: number;
  /** Ends the wait; the call goes on. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls whose results are fetched later, by this process or another one. Each has an inbox of its own in Redis, which its
 * answer goes to and which vanishes by itself.
 */
export class Handles {
  readonly #parts: HandlesParts;
  readonly #keepMs: number;
  readonly #waits = new Set<AbortController>();
  #isClosed = false;

  constructor(parts: HandlesParts) {
    this.#parts = parts;
    this.#keepMs = parts.keepMs ?? DEFAULT_KEEP_MS;
  }

  /** See {@link Rpc.start}. */
  async start(call: OutgoingCall, id = newMessageId()): Promise<string> {
    assertName('call', id);
    if (this.#isClosed) throw closed(`The ${nameOf({ ...call, id })} was not started`);
    const refusal = refusalOf(call, Number.POSITIVE_INFINITY, null);
    if (refusal !== null) throw refusal;
    const budgetMs = Math.ceil(call.timeoutMs);
    const place = await this.#open(id, { ...call, budgetMs }, call.idempotent);
    if (place === 'done') return id;
    const requestId = call.requestId ?? (call.idempotent ? id : undefined);
    const later = { inbox: handleInbox(id), budgetMs };
    try {
      await this.#parts.caller.call({ ...call, requestId, later, timeoutMs: Math.min(budgetMs, SEND_MS) });
    } catch (error) {
      if (place === 'new' && !mayBeSent(error)) await this.#drop(id).catch(() => undefined);
      throw error;
    }
    if (!call.idempotent) await this.#markSent(id);
    return id;
  }

  /** See {@link Rpc.result}. */
  async result(started: StartedCall, given: ResultWait): Promise<string | null> {
    assertName('call', started.id);
    const wait = new AbortController();
    const end = (): void => wait.abort();
    given.signal?.addEventListener('abort', end);
    this.#waits.add(wait);
    try {
      return await this.#awaited(started, given, wait.signal);
    } finally {
      this.#waits.delete(wait);
      given.signal?.removeEventListener('abort', end);
    }
  }

  /** Ends the waits for results with CLOSED: they could outlast the connections by an hour. */
  stop(): void {
    this.#isClosed = true;
    for (const wait of this.#waits) wait.abort();
  }

  async #awaited(started: StartedCall, { timeoutMs, signal }: ResultWait, ended: AbortSignal): Promise<string | null> {
    const endsAtMs = performance.now() + timeoutMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (signal?.aborted) throw waitCancelled(started, signal.reason);
      if (this.#isClosed) throw closed(`The wait for the ${nameOf(started)} was given up; the call goes on, and any process may ask for its result`);
      const look = await this.#lookAt(started).catch(unlessFatal);
      const remainingMs = endsAtMs - performance.now();
      if (look instanceof RedisFailure) {
        if (remainingMs <= 0) throw look;
      } else if (look !== undefined) return look;
      else if (remainingMs <= 0) throw notYet(started, timeoutMs);
      await setTimeout(Math.min(pauseMs, remainingMs), undefined, { signal: ended }).catch(() => undefined);
    }
  }

  /** See {@link Rpc.forget}. */
  async forget(id: string): Promise<void> {
    assertName('call', id);
    const key = this.#keyOf(id);
    await this.#parts.redis.publishFor(key).call('DEL', key);
  }

  /**
   * @returns `'done'` when it is not to be sent: its result is there, or on its way
   * @throws RpcIndefiniteError a call with the id must not be sent twice, and whether it was sent is not known
   */
  async #open(id: string, call: HandledCall, isRepeatable: boolean): Promise<'new' | 'again' | 'done'> {
    const there = await this.#opened(id, call, false);
    if (there.length === 0) return 'new';
    const { call: other, answer } = new HandleEntries(there);
    if (other === null || !isSameMethod(other, call)) throw takenId(id, other);
    if (!isRepeatable) {
      if (there.length === 1) throw maybeSent({ ...call, id });
      return 'done';
    }
    if (answer !== null && isResult(answer)) return 'done';
    await this.#opened(id, call, true);
    return 'again';
  }

  async #opened(id: string, call: HandledCall, isAgain: boolean): Promise<readonly HandleEntry[]> {
    const key = this.#keyOf(id);
    const redis = this.#parts.redis.publishFor(key);
    await redis.whenReady(COMMAND_TIMEOUT_MS);
    const args = [handleText(call), call.budgetMs + this.#keepMs, isAgain ? 1 : 0, MOST_ENTRIES];
    return (await redis.run(openHandle, [key], args)) as HandleEntry[];
  }

  /** Another process may have started a call with the id meanwhile. */
  async #drop(id: string): Promise<void> {
    const key = this.#keyOf(id);
    await this.#parts.redis.publishFor(key).run(dropHandle, [key], []);
  }

  /** So that a later start with the id knows it. */
  async #markSent(id: string): Promise<void> {
    const key = this.#keyOf(id);
    try {
      await this.#parts.redis.publishFor(key).call('XADD', key, 'NOMKSTREAM', '*', 'sent', '');
    } catch (error) {
      emit('loop-failed', { loop: 'rpc-start', error: errorRecord(error), failures: 1 });
    }
  }

  /** @returns undefined while there is no answer */
  async #lookAt(started: StartedCall): Promise<string | null | undefined> {
    const key = this.#keyOf(started.id);
    const reply = await this.#parts.redis.publishFor(key).run(lookAtHandle, [key], [MOST_ENTRIES]);
    const [nowMs, entries] = reply as [number, HandleEntry[]];
    const { call, startedAtMs, answer } = new HandleEntries(entries);
    if (call === null) throw unknownHandle(started);
    if (!isSameMethod(call, started)) throw takenId(started.id, call);
    if (answer !== null) return resultOf(answer);
    if (nowMs > startedAtMs + call.budgetMs + GRACE_MS) throw tooLate(started, call.budgetMs);
    return undefined;
  }

  #keyOf(id: string): string {
    return inboxKey(this.#parts.prefix, handleInbox(id));
  }
}

/** @throws MillraceError the error that the call was answered with */
function resultOf({ kind, text }: HandledAnswer): string | null {
  if (kind === 'e') throw errorOf(text);
  return kind === 'r' ? text : null;
}

/** A look at Redis that is away for a moment may be repeated. */
function unlessFatal(error: unknown): RedisFailure {
  if (error instanceof RedisFailure && error.kind !== 'fatal') return error;
  throw error;
}

function mayBeSent(error: unknown): boolean {
  if (error instanceof RpcTimeoutError) return error.mayHaveRun;
  return !isMillraceError(error) || error.code === 'CALL_INDEFINITE' || error.code === 'CLOSED';
}

function nameOf({ service, version, method, id }: StartedCall): string {
  return `call '${id}' of ${quote(method)} of service '${service}' ${version}`;
}

function unknownHandle(started: StartedCall): MillraceError {
  return new MillraceError('UNKNOWN_CALL', `The ${nameOf(started)} is not known: it was never started, it was forgotten, or its result has been kept as long as it is kept. Start it again if its effect is not there.`);
}

function takenId(id: string, call: CalledMethod | null): MillraceError {
  const whose = call ? `${quote(call.method)} of service '${call.service}' ${call.version}` : 'something that is no call';
  return new MillraceError('INVALID_INPUT', `The id '${id}' belongs to ${whose}: take another id, or ask for that method.`);
}

function maybeSent(started: StartedCall): RpcIndefiniteError {
  return new RpcIndefiniteError(`The ${nameOf(started)} was started before, and it is not known whether it was sent: it is not sent again. Its result says how it ended.`);
}

function notYet(started: StartedCall, timeoutMs: number): RpcTimeoutError {
  return new RpcTimeoutError(`The ${nameOf(started)} was not answered within ${timeoutMs} ms. Its time is not over: ask for its result again.`, { retryable: true, mayHaveRun: true });
}

function tooLate(started: StartedCall, budgetMs: number): RpcTimeoutError {
  return new RpcTimeoutError(`The ${nameOf(started)} was not answered in its ${budgetMs} ms. It may have been executed: find out whether its effect is there.`, { retryable: false, mayHaveRun: true });
}

function closed(problem: string): MillraceError {
  return new MillraceError('CLOSED', `${problem}: this process is shutting down.`);
}

function waitCancelled(started: StartedCall, reason: unknown): RpcCancelledError {
  return new RpcCancelledError(`The wait for the ${nameOf(started)} was cancelled by its signal. The call goes on.`, reason);
}
