import { setTimeout } from 'node:timers/promises';
import { MillraceError } from '@millrace/core';
import { loadScript, type RedisConnection, type RedisFailure, redisFailure } from '@millrace/redis';
import { RpcIndefiniteError, RpcNoInstanceError } from '../errors.js';
import { boundedBatches } from '../wire/bounded-batches.js';
import { headerText } from '../wire/request-frame.js';
import { HANDLE_CORRELATION } from './outgoing-call.js';
import type { CallerCounters } from './caller-counters.js';
import type { PendingCall } from './pending-call.js';
import { SendAllowance } from './send-allowance.js';

const send = loadScript('../scripts/send.lua', import.meta.url);

export interface SendParts {
  readonly redis: RedisConnection;
  readonly key: string;
  /** Names the target in errors: `service 'prices' 1`. */
  readonly subject: string;
  /** The member name of the inbox. */
  readonly inbox: string;
  /** How many requests may be in the stream. */
  readonly maxWaiting: number;
  readonly counters: CallerCounters;
  /** Redis has the request, whose entry is known now. */
  readonly stored: (call: PendingCall) => void;
  readonly refused: (call: PendingCall, error: MillraceError) => void;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;
/** Methods whose JSON text is kept. */
const MOST_METHODS = 1_000;

/**
 * Sends the requests of one tick to one stream together. A request that was not sent, or that may be sent twice, is tried until
 * its deadline.
 */
export class RequestBatcher {
  readonly #parts: SendParts;
  readonly #allowance = new SendAllowance();
  readonly #methodTexts = new Map<string, string>();
  readonly #sending = new Set<Promise<void>>();
  readonly #flushNow = (): void => this.#flush();
  #waiting: PendingCall[] = [];

  constructor(parts: SendParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#sending.size === 0;
  }

  add(call: PendingCall): void {
    if (this.#waiting.length === 0) process.nextTick(this.#flushNow);
    this.#waiting.push(call);
  }

  /** Resolves when Redis has said of each request whether it has it, or cannot be asked. */
  async flushed(): Promise<void> {
    this.#flush();
    await Promise.all(this.#sending);
  }

  #flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    const open = waiting.every(isOpen) ? waiting : waiting.filter(isOpen);
    if (open.length === 0) return;
    for (const batch of boundedBatches(open, sizeOf)) {
      const sending = this.#send(batch).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
  }

  /** Never rejects. */
  async #send(batch: readonly PendingCall[], pauseMs = FIRST_PAUSE_MS): Promise<void> {
    const frames: string[] = [];
    const nowMs = performance.now();
    for (const call of batch) {
      frames.push(this.#headerOf(call, nowMs), call.options.payloadJson);
      call.isOnItsWay = true;
    }
    let ids: readonly string[];
    try {
      ids = batch.length === 1 && this.#allowance.take() ? [await this.#addOne(frames)] : await this.#addAll(frames);
    } catch (error) {
      const failure = redisFailure(error, 'send');
      const again = this.#failed(batch, failure);
      if (again.length > 0) await this.#sendAgain(again, failure, pauseMs);
      return;
    }
    for (let index = 0; index < batch.length; index += 1) this.#taken(batch[index]!, ids[index]!);
  }

  async #addAll(frames: readonly string[]): Promise<readonly string[]> {
    const { redis, key, maxWaiting } = this.#parts;
    const lookedAtMs = performance.now();
    const [room, ids] = (await redis.run(send, [key], [maxWaiting, ...frames])) as [number, string[]];
    this.#allowance.renew(room, lookedAtMs);
    return ids;
  }

  /** Costs Redis a fifth of the script, which matters to a call that is made alone: it waits for it. */
  async #addOne([header = '', payload = '']: readonly string[]): Promise<string> {
    const { redis, key } = this.#parts;
    return ((await redis.call('XADD', key, 'NOMKSTREAM', '*', header, payload)) as string | null) ?? '';
  }

  /**
   * Once there is a connection again, nothing is to be waited for but a server that does not serve yet. One that breaks refuses
   * requests before it says so: to send again at once would go on for ever, since it could not even say so.
   */
  async #sendAgain(batch: readonly PendingCall[], { kind }: RedisFailure, pauseMs: number): Promise<void> {
    const { redis } = this.#parts;
    const seemsReady = redis.isReady;
    while (!(await redis.whenReady(LONGEST_PAUSE_MS)) && batch.some(isOpen) && !redis.isClosed);
    if (seemsReady || kind !== 'unsent' || redis.isClosed) await setTimeout(pauseMs);
    const open = batch.filter(isOpen);
    if (open.length > 0) await this.#send(open, Math.min(pauseMs * 2, LONGEST_PAUSE_MS));
  }

  #headerOf(call: PendingCall, nowMs: number): string {
    const { correlation, deadlineAtMs, options } = call;
    const { requestId, headers, idempotent, oneWay = false, later } = options;
    return headerText({
      requestId, headers,
      correlation: later === undefined ? correlation : HANDLE_CORRELATION,
      methodText: this.#methodTexts.get(options.method) ?? this.#newMethodText(options.method),
      inbox: later?.inbox ?? this.#parts.inbox,
      budgetMs: Math.max(1, Math.ceil(later?.budgetMs ?? deadlineAtMs - nowMs)),
      isIdempotent: idempotent,
      isOneWay: oneWay,
      window: call.window,
    });
  }

  #newMethodText(method: string): string {
    if (this.#methodTexts.size >= MOST_METHODS) this.#methodTexts.clear();
    const text = JSON.stringify(method);
    this.#methodTexts.set(method, text);
    return text;
  }

  #taken(call: PendingCall, id: string): void {
    const { subject, counters, maxWaiting } = this.#parts;
    if (id === '') this.#refuse(call, new RpcNoInstanceError(`The call was not sent: no instance of ${subject} is there. Start one, or call again when one has started.`));
    else if (id === 'full') this.#refuse(call, new MillraceError('BACK_PRESSURE', `The call was not sent: ${maxWaiting} requests wait for ${subject}. Start more instances, or call again later.`, { retryable: true }));
    else {
      counters.sent += 1;
      call.entryId = id;
      this.#parts.stored(call);
    }
  }

  /** An earlier copy of the request, whose reply was lost, may be there all the same: then the call waits for its answer. */
  #refuse(call: PendingCall, error: MillraceError): void {
    if (!call.mayBeSent) this.#parts.refused(call, error);
  }

  /** @returns the calls whose requests are to be sent again */
  #failed(batch: readonly PendingCall[], failure: RedisFailure): readonly PendingCall[] {
    for (const call of batch) call.isOnItsWay = false;
    if (failure.kind === 'unsent' || failure.kind === 'unavailable') return batch;
    if (failure.kind !== 'indeterminate') {
      for (const call of batch) this.#refuse(call, failure);
      return [];
    }
    for (const call of batch) {
      call.mayBeSent = true;
      const { idempotent, oneWay = false, later } = call.options;
      if ((oneWay || later !== undefined) && !idempotent) this.#parts.refused(call, new RpcIndefiniteError('Redis did not say whether it has the request: the call may be executed.', failure));
    }
    return batch.filter(({ options }) => options.idempotent);
  }
}

function isOpen({ isSettled }: PendingCall): boolean {
  return !isSettled;
}

function sizeOf({ options }: PendingCall): number {
  return options.payloadJson.length;
}
