import { emit, type MillraceError } from '@millrace/core';
import type { CallMonitor } from '../monitor/call-monitor.js';
import type { AnswerKind } from '../wire/answer-frame.js';
import { errorText } from '../wire/error-answer.js';
import { tooLarge } from '../wire/payload-bound.js';
import { parseRequest, type RequestFrame } from '../wire/request-frame.js';
import type { AnswerBatcher } from './answer-batcher.js';
import type { Certainty, ReadOrigin } from './certainty.js';
import { Execution, type MethodLedgers } from './execution.js';
import type { RedisClock } from './redis-clock.js';
import type { LateRecords } from '@millrace/ledger';
import { mayHaveRun, otherForm, unknownMethod } from './refusals.js';
import type { RequestStream } from './request-stream.js';
import { ServedRequest } from './served-request.js';
import type { ServerCounters } from './server-counters.js';
import { isStreaming, type ServiceDefinition } from './service-definition.js';
import { dropped } from './settlement.js';
import type { StreamRuns } from './stream-runs.js';

export interface SlotParts {
  readonly definition: ServiceDefinition;
  readonly member: string;
  readonly certainty: Certainty;
  readonly clock: RedisClock;
  readonly answers: AnswerBatcher;
  readonly counters: ServerCounters;
  readonly monitor: CallMonitor;
  readonly ledgers: ReadonlyMap<string, MethodLedgers>;
  readonly records: LateRecords;
  readonly streams: StreamRuns;
  readonly exposeStacks: boolean;
  readonly maxPayloadBytes: number;
  /** How long a method may go on for nobody before that is reported. */
  readonly overdueMs: number;
}

/** The methods that an instance executes at the moment. */
export interface ServingState {
  readonly running: number;
  /** Those of them that go on though nobody has waited for them for a while: they hold their slots. */
  readonly overdue: number;
}

/** Requests that are executed, and not settled yet since Redis does not answer, beyond those that are being executed. */
const MOST_UNSETTLED = 1_024;
const CLOCK_PAUSE_MS = 100;

/** The requests in the hands of an instance: those that wait for one of its slots, and those that are executed. */
export class RequestSlots {
  readonly #parts: SlotParts;
  readonly #execution: Execution;
  readonly #streams: readonly RequestStream<ServedRequest>[];
  #waiting: ServedRequest[] = [];
  #running = 0;
  #isDraining = false;
  #isAskingClock = false;
  #waitingForSlots: (() => void)[] = [];
  /** Take-overs whose reply has not come: the requests may belong to this instance already. */
  takingOver = 0;

  constructor(parts: SlotParts, streams: readonly RequestStream<ServedRequest>[]) {
    this.#parts = parts;
    this.#streams = streams;
    const done = (request: ServedRequest, kind: AnswerKind | null, text: string): void => this.#done(request, kind, text);
    this.#execution = new Execution({
      ...parts, done, passed: (request) => this.#passed(request), streamed: (request) => this.#streamed(request),
    });
  }

  /** How many more requests can begin at once. */
  get free(): number {
    const { concurrency } = this.#parts.definition;
    if (this.#isDraining || this.held >= concurrency + MOST_UNSETTLED) return 0;
    return concurrency - this.#running - this.#waiting.length;
  }

  get held(): number {
    return this.#streams.reduce((sum, { size }) => sum + size, 0);
  }

  /** Resolves when a slot may have become free, and at once when nothing is begun any more. */
  untilFreed(): Promise<void> {
    if (this.#isDraining) return Promise.resolve();
    return this.#nextFreed();
  }

  /** Begins nothing more: {@link drain} follows. */
  close(): void {
    this.#isDraining = true;
    this.#freed();
  }

  /**
   * Takes an entry into its hands; {@link pump} begins it.
   *
   * @param fields null for one that was removed though it was pending
   */
  receive(stream: RequestStream<ServedRequest>, [entryId, fields]: readonly [string, unknown], origin: ReadOrigin): void {
    if (stream.knows(entryId)) return;
    const { definition, clock, counters } = this.#parts;
    const { takenOver, readIn } = origin;
    const frame = parseRequest(fields);
    if (frame === null) {
      if (fields !== null) counters.malformed += 1;
      this.#parts.answers.add(dropped(stream, entryId, readIn));
      return;
    }
    const request = new ServedRequest({ stream, entryId, frame, name: definition, clock, takenOver, readIn });
    stream.hold(request);
    counters.inFlight += 1;
    if (takenOver && !this.#isRepeatable(frame)) this.#indefinite(request);
    else this.#waiting.push(request);
  }

  /** Begins as many requests as there are slots. */
  pump(): void {
    const { concurrency } = this.#parts.definition;
    while (this.#waiting.length > 0 && this.#running < concurrency && !this.#isDraining) {
      if (this.#isUnsure(this.#waiting[0]!)) this.#letGoOfAll();
      else if (!this.#parts.clock.isFresh) return this.#askClock();
      else this.#begin(this.#waiting.shift()!);
    }
  }

  /** The caller waits no longer. */
  cancel(inbox: string, correlation: number): void {
    for (const stream of this.#streams) {
      for (const request of stream.held) {
        if (request.frame.correlation !== correlation || request.frame.inbox !== inbox || request.isCancelled) continue;
        this.#parts.counters.cancelled += 1;
        request.cancel();
        this.#dropWaiting(request);
      }
    }
  }

  /**
   * Aborts the signals of requests whose time is over, as their callers may have died, which tells nobody; and reports methods
   * that do not heed them.
   */
  sweep(): void {
    for (const stream of this.#streams) {
      for (const request of stream.held) {
        if (!request.isRunning) continue;
        if (request.isUnwanted) this.#reportOverdue(request);
        else if (request.remainingMs() <= 0) {
          this.#parts.counters.cancelled += 1;
          request.cancel();
        }
      }
    }
  }

  get state(): ServingState {
    const { overdueMs } = this.#parts;
    let overdue = 0;
    for (const stream of this.#streams) for (const request of stream.held) if (request.overdueMs() > overdueMs) overdue += 1;
    return { running: this.#running, overdue };
  }

  /** Resolves when what was begun has ended; after `deadlineMs` it is abandoned. @returns what was not begun */
  async drain(deadlineMs: number): Promise<readonly ServedRequest[]> {
    const ended = this.#untilNoneRuns();
    const timer = setTimeout(() => this.#abandon(), Math.max(0, deadlineMs));
    await ended;
    clearTimeout(timer);
    // A request that is cancelled from now on is no longer in these hands: it counts once.
    return this.#waiting.splice(0);
  }

  #begin(request: ServedRequest): void {
    const { definition, counters, maxPayloadBytes } = this.#parts;
    if (request.remainingMs() <= 0) {
      counters.expired += 1;
      this.#settle(request);
      return;
    }
    const method = definition.methods.get(request.method);
    const isStreamed = request.frame.window > 0;
    const isOther = method !== undefined && isStreaming(method) !== isStreamed;
    const refusal = isOther ? otherForm(request, isStreamed) : tooLarge('A request', request.payload, maxPayloadBytes);
    const problem = method ? refusal : unknownMethod(request);
    if (problem !== null) this.#fail(request, problem);
    else {
      this.#running += 1;
      request.begun(this.#parts.monitor.of(request));
      this.#execution.begin(request, method!);
    }
  }

  #done(request: ServedRequest, kind: AnswerKind | null, text: string): void {
    if (request.isAbandoned) return;
    if (kind === null) this.#parts.counters.expired += request.isCancelled ? 0 : 1;
    else request.answer(kind, text);
    this.#ended(request);
  }

  /** If it belongs to this instance all the same, it is read again. */
  #passed(request: ServedRequest): void {
    if (request.isAbandoned) return;
    this.#running -= 1;
    this.#parts.counters.inFlight -= 1;
    request.ended();
    this.#forget(request);
    this.pump();
    this.#freed();
  }

  #streamed(request: ServedRequest): void {
    if (!request.isAbandoned) this.#ended(request);
  }

  #ended(request: ServedRequest): void {
    this.#running -= 1;
    request.ended();
    this.#settle(request);
    this.pump();
    this.#freed();
  }

  /** Whether another instance may have taken it over since its read was sent. */
  #isUnsure({ readIn }: ServedRequest): boolean {
    const { isSure, epoch } = this.#parts.certainty;
    return !isSure || readIn !== epoch;
  }

  #settle(request: ServedRequest): void {
    this.#parts.counters.inFlight -= 1;
    this.#parts.answers.add(request);
  }

  #fail(request: ServedRequest, error: MillraceError): void {
    this.#settle(request.answer('e', errorText(error, this.#parts.exposeStacks)));
  }

  #isRepeatable({ method, isIdempotent, window }: RequestFrame): boolean {
    return isIdempotent && window === 0 && (this.#parts.definition.methods.get(method)?.idempotent ?? true);
  }

  #indefinite(request: ServedRequest): void {
    this.#parts.counters.indefinite += 1;
    this.#fail(request, mayHaveRun(request.method));
  }

  /** Others may take this process for dead, and its requests over: those that are still its own are read again. */
  #letGoOfAll(): void {
    for (const request of this.#waiting) this.#forget(request);
    this.#parts.counters.inFlight -= this.#waiting.length;
    this.#waiting = [];
    this.#freed();
  }

  #forget({ stream, entryId, takenOver }: ServedRequest): void {
    stream.forget(entryId, takenOver ? 'taken' : 'read');
  }

  #askClock(): void {
    if (this.#isAskingClock) return;
    this.#isAskingClock = true;
    const asked = (): void => {
      this.#isAskingClock = false;
      this.pump();
    };
    // While Redis does not answer, the requests wait.
    this.#parts.clock.refresh().then(asked, () => void setTimeout(asked, CLOCK_PAUSE_MS));
  }

  #reportOverdue(request: ServedRequest): void {
    if (request.isReported || request.overdueMs() <= this.#parts.overdueMs) return;
    request.isReported = true;
    const { service, version, method, caller, id: requestId } = request;
    emit('call-overdue', { service, version, method, caller, requestId, overdueMs: Math.round(request.overdueMs()) });
  }

  #dropWaiting(request: ServedRequest): void {
    if (request.isBegun || !this.#waiting.includes(request)) return;
    this.#waiting = this.#waiting.filter((each) => each !== request);
    this.#settle(request);
    this.#freed();
  }

  async #untilNoneRuns(): Promise<void> {
    while (this.#running > 0) await this.#nextFreed();
  }

  #nextFreed(): Promise<void> {
    return new Promise((resolve) => this.#waitingForSlots.push(resolve));
  }

  #freed(): void {
    if (this.#waitingForSlots.length === 0) return;
    for (const resolve of this.#waitingForSlots.splice(0)) resolve();
  }

  /** Nobody executes a stream that was begun: its caller need not wait for another instance to say so. */
  #leaveStream(request: ServedRequest): void {
    if (request.frame.window === 0 || request.isCancelled || request.field !== '') return;
    this.#parts.streams.leave(request);
    if (request.field !== '') this.#parts.answers.add(request);
  }

  #abandon(): void {
    for (const stream of this.#streams) {
      for (const request of stream.held) {
        if (!request.isBegun || request.isAbandoned) continue;
        this.#leaveStream(request);
        request.abandon();
        request.ended();
      }
    }
    this.#parts.counters.inFlight -= this.#running;
    this.#running = 0;
    this.#freed();
  }
}
