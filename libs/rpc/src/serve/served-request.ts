import { type ErrorCode, eventChannel, MillraceError } from '@millrace/core';
import { isHandleInbox, type ServiceName } from '../keys.js';
import { LATER, type MethodCounts } from '../monitor/method-counts.js';
import { type AnswerKind, answerField } from '../wire/answer-frame.js';
import type { RequestFrame } from '../wire/request-frame.js';
import type { RedisClock } from './redis-clock.js';
import type { RequestStream } from './request-stream.js';
import type { RpcRequest } from './service-definition.js';
import type { Settlement } from './settlement.js';

export interface RequestParts {
  readonly stream: RequestStream<ServedRequest>;
  readonly entryId: string;
  readonly frame: RequestFrame;
  readonly name: ServiceName;
  readonly clock: RedisClock;
  readonly takenOver: boolean;
  readonly readIn: number;
}

const SERVED = eventChannel('served');
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * A request in the hands of an instance. States: waiting -> begun -> settled; it may be cancelled, interrupted or abandoned in
 * each.
 */
export class ServedRequest implements RpcRequest, Settlement {
  readonly stream: RequestStream<ServedRequest>;
  readonly entryId: string;
  readonly frame: RequestFrame;
  readonly takenOver: boolean;
  readonly readIn: number;
  readonly service: string;
  readonly version: string;
  /** When it expires, by Redis's clock. */
  readonly expiresAtMs: number;
  isBegun = false;
  /** The counts of its method, once it is begun. */
  #counts: MethodCounts | null = null;
  #begunAtMs = 0;
  /** When its signal aborted; 0 before. */
  #abortedAtMs = 0;
  /** The caller waits no longer. */
  isCancelled = false;
  /** Its method is to end for another reason, which its caller is still told. */
  isInterrupted = false;
  /** The code of the error that it is answered with. */
  failure: ErrorCode | null = null;
  /** Whether it was reported that its method goes on for nobody. */
  isReported = false;
  /** This process stops without it: it is not settled here. */
  isAbandoned = false;
  onRecorded: (() => void) | undefined = undefined;
  inbox = '';
  field = '';
  value = '';
  readonly #clock: RedisClock;
  #abort: AbortController | null = null;

  constructor({ stream, entryId, frame, name, clock, takenOver, readIn }: RequestParts) {
    this.stream = stream;
    this.entryId = entryId;
    this.frame = frame;
    this.takenOver = takenOver;
    this.readIn = readIn;
    this.service = name.service;
    this.version = name.version;
    this.expiresAtMs = Number.parseInt(entryId, 10) + frame.budgetMs;
    this.#clock = clock;
  }

  get id(): string {
    const { requestId, inbox, correlation } = this.frame;
    return requestId ?? `${inbox}/${correlation}`;
  }

  get method(): string {
    return this.frame.method;
  }

  get payload(): string {
    return this.frame.payload;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.frame.headers ?? NO_HEADERS;
  }

  get caller(): string {
    return this.frame.inbox;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.isUnwanted || this.isAbandoned) this.#abort.abort(this.#reason());
    }
    return this.#abort.signal;
  }

  remainingMs(): number {
    return this.expiresAtMs - this.#clock.nowMs();
  }

  /** Whether its method goes on. */
  get isRunning(): boolean {
    return this.#counts !== null;
  }

  /** Whether nobody waits for its method any more. */
  get isUnwanted(): boolean {
    return this.isCancelled || this.isInterrupted;
  }

  /** Its method begins. */
  begun(counts: MethodCounts): void {
    this.isBegun = true;
    this.#counts = counts;
    this.#begunAtMs = performance.now();
    counts.begun(isHandleInbox(this.caller) ? LATER : this.caller);
  }

  /** Its method has ended, or is not waited for any more. */
  ended(): void {
    if (this.#counts === null) return;
    const [durationMs, code] = [performance.now() - this.#begunAtMs, this.failure ?? this.#unanswered()];
    this.#counts.ended(durationMs, code);
    this.#counts = null;
    if (!SERVED.hasSubscribers) return;
    const { service, version, method } = this;
    SERVED.publish({ service, version, method, code, durationMs });
  }

  /** How long its method has gone on since nobody waits for it, in milliseconds; 0 when it does not. */
  overdueMs(): number {
    return this.isRunning && this.isUnwanted ? performance.now() - this.#abortedAtMs : 0;
  }

  cancel(): void {
    this.isCancelled = true;
    this.#abortMethod();
  }

  interrupt(): void {
    this.isInterrupted = true;
    this.#abortMethod();
  }

  abandon(): void {
    this.isAbandoned = true;
    this.#abort?.abort(this.#reason());
  }

  /** Why it has no answer, if that is an error: a stream that its consumer has left is none. */
  #unanswered(): ErrorCode | null {
    if (this.isAbandoned) return 'CLOSED';
    if (this.field !== '') return null;
    if (this.isCancelled && this.frame.window === 0) return 'CALL_CANCELLED';
    return this.remainingMs() <= 0 ? 'CALL_TIMEOUT' : null;
  }

  #abortMethod(): void {
    if (this.#abortedAtMs === 0) this.#abortedAtMs = performance.now();
    this.#abort?.abort(this.#reason());
  }

  /** The reason of its signal. */
  #reason(): MillraceError {
    if (this.isAbandoned) return new MillraceError('CLOSED', 'This process stops, and does not wait for the method any more.');
    if (this.remainingMs() <= 0) return new MillraceError('CALL_TIMEOUT', 'The time of the call is over: nobody waits for its answer.');
    return new MillraceError('CALL_CANCELLED', 'The caller waits no longer for the answer.');
  }

  /** Decides the end of its streamed answer. */
  end(field: string, value: string): void {
    if (this.isCancelled || this.isAbandoned) return;
    this.inbox = this.frame.inbox;
    this.field = field;
    this.value = value;
  }

  /** Decides its answer; nobody waits for that of a one-way request, or of one that was cancelled. */
  answer(kind: AnswerKind, value: string): this {
    if (this.frame.isOneWay || this.isCancelled) return this;
    this.inbox = this.frame.inbox;
    this.field = answerField(kind, this.frame.correlation);
    this.value = value;
    return this;
  }
}
