import { setTimeout } from 'node:timers/promises';
import { emit, errorRecord, type LedgerPort } from '@millrace/core';
import { RpcIndefiniteError } from '../errors.js';
import type { AnswerKind } from '../wire/answer-frame.js';
import { codeOf, errorText } from '../wire/error-answer.js';
import { tooLarge } from '../wire/payload-bound.js';
import type { Certainty } from './certainty.js';
import type { LateRecords } from '@millrace/ledger';
import { AnsweredFailure } from './answered-failure.js';
import { reportFailure } from './report-failure.js';
import type { ServedRequest } from './served-request.js';
import { type AnswerItems, type AnsweringMethod, isStreaming, type ServedMethod, type StreamingMethod } from './service-definition.js';
import type { StreamRuns } from './stream-runs.js';

export interface ExecutionParts {
  /** Member name of this instance. */
  readonly member: string;
  /** The ledgers of each method whose requests may be repeated, by its name. */
  readonly ledgers: ReadonlyMap<string, MethodLedgers>;
  readonly records: LateRecords;
  readonly streams: StreamRuns;
  readonly certainty: Pick<Certainty, 'isSure' | 'epoch'>;
  readonly exposeStacks: boolean;
  readonly maxPayloadBytes: number;
  /** Is called once for each request that was executed, with its answer; null when it is to stay unsettled. */
  readonly done: (request: ServedRequest, kind: AnswerKind | null, text: string) => void;
  /** Is called instead when another instance has it by now, and answers it. */
  readonly passed: (request: ServedRequest) => void;
  /** Is called in its place when a streamed answer has ended; the request has its end. */
  readonly streamed: (request: ServedRequest) => void;
}

/** How soon a ledger that failed is asked again. */
const LEDGER_PAUSE_MS = 100;
/** How soon it is asked again when others may have taken this process for dead. */
const UNSURE_PAUSE_MS = 20;

/** The ledgers of one method: for requests that their callers named, and for others. */
export interface MethodLedgers {
  readonly named: LedgerPort;
  readonly unnamed: LedgerPort;
}

/** How long the answer to a request is kept that its caller did not name, in milliseconds. */
export const UNNAMED_KEPT_MS = 60_000;

/** Executes requests: those of idempotent methods with their ledgers. */
export class Execution {
  readonly #parts: ExecutionParts;

  constructor(parts: ExecutionParts) {
    this.#parts = parts;
  }

  begin(request: ServedRequest, method: ServedMethod): void {
    if (isStreaming(method)) return this.#stream(request, method);
    const ledger = ledgerOf(request, this.#parts.ledgers.get(request.method));
    if (ledger) void this.#withLedger(ledger, request, method);
    else this.#run(request, method);
  }

  #stream(request: ServedRequest, { stream }: StreamingMethod): void {
    let given: ReturnType<StreamingMethod['stream']>;
    try {
      given = stream(request);
    } catch (thrown) {
      return this.#failed(request, thrown);
    }
    if (!(given instanceof Promise)) return this.#pump(request, given);
    given.then(
      (items) => (typeof items === 'object' && items !== null ? this.#pump(request, items) : this.#handled(request, items)),
      (error: unknown) => this.#failed(request, error),
    );
  }

  #pump(request: ServedRequest, items: AnswerItems): void {
    void this.#parts.streams.serve(request, items).then(() => this.#parts.streamed(request));
  }

  #run(request: ServedRequest, { handle }: AnsweringMethod): void {
    let handling: Promise<string | null>;
    try {
      handling = handle(request);
    } catch (thrown) {
      return this.#failed(request, thrown);
    }
    // No async function: it would cost a promise more for each request.
    handling.then(
      (text) => this.#handled(request, text),
      (error: unknown) => this.#failed(request, error),
    );
  }

  #failed(request: ServedRequest, thrown: unknown): void {
    this.#parts.done(request, ...this.#failureOf(request, thrown));
  }

  #handled(request: ServedRequest, text: unknown): void {
    const [kind, answer] = this.#answerOf(request, text);
    this.#parts.done(request, kind, answer);
  }

  #answerOf(request: ServedRequest, text: unknown): [AnswerKind, string] {
    if (text === null || text === undefined) return ['n', ''];
    if (typeof text !== 'string') return ['e', this.#errorText(request, new TypeError(NO_TEXT))];
    const problem = tooLarge('An answer', text, this.#parts.maxPayloadBytes);
    return problem === null ? ['r', text] : ['e', this.#errorText(request, problem)];
  }

  async #withLedger(ledger: LedgerPort, request: ServedRequest, method: AnsweringMethod): Promise<void> {
    const place = await this.#placeOf(ledger, request);
    if (place === null) this.#parts.done(request, null, '');
    else if (place.kind === 'done') this.#repeat(request, place.result);
    // The ledger may have taken long to answer.
    else if (isOver(request)) this.#giveBack(ledger, place.token, request);
    else await this.#executeOnce(ledger, place.token, { request, method });
  }

  /** @returns null when the time of the request is over, or this process stops, before it is known */
  async #placeOf(ledger: LedgerPort, request: ServedRequest): Promise<Mine | Done | null> {
    while (!isOver(request)) {
      const begun = await ledger.begin(request.id, this.#parts.member).catch((error: unknown) => this.#ledgerFailed(error));
      if (begun.kind === 'done' || (begun.kind === 'mine' && this.#parts.certainty.isSure)) return begun;
      // Others may have executed it while this process was silent: then the ledger says so when it is asked again.
      if (begun.kind === 'mine') this.#record(() => ledger.release(request.id, begun.token));
      const pauseMs = begun.kind === 'busy' ? begun.retryMs : UNSURE_PAUSE_MS;
      await setTimeout(Math.min(pauseMs, Math.max(request.remainingMs(), 0)));
    }
    return null;
  }

  #ledgerFailed(error: unknown): Busy {
    emit('loop-failed', { loop: 'rpc-ledger', error: errorRecord(error), failures: 1 });
    return { kind: 'busy', retryMs: LEDGER_PAUSE_MS };
  }

  /** Begins nothing: a later call with the id may. */
  #giveBack(ledger: LedgerPort, token: string, request: ServedRequest): void {
    this.#record(() => ledger.release(request.id, token));
    this.#parts.done(request, null, '');
  }

  /** Gives the answer that was recorded: its kind, and its text behind it. */
  #repeat(request: ServedRequest, result: string): void {
    if (result !== '') this.#parts.done(request, result[0] as AnswerKind, result.slice(1));
    else this.#parts.done(request, 'e', this.#errorText(request, new RpcIndefiniteError(KEPT_NO_RESULT)));
  }

  async #executeOnce(ledger: LedgerPort, token: string, { request, method }: Work): Promise<void> {
    const [kind, text] = await this.#outcomeOf(request, method);
    // A failure is not kept: a caller that tries again expects the method to do so, too.
    const isDone = kind !== 'e' && !request.isAbandoned;
    if (!isDone) this.#record(() => ledger.release(request.id, token));
    // The record comes before the answer: a process that died between the two would let it be executed again.
    else {
      const isRecorded = await this.#completed(ledger, token, { request, kind, text });
      if (isRecorded) request.onRecorded?.();
      if (isRecorded === false && this.#isUnsure(request)) {
        // Another instance executes it by now, and its answer is the first one: to settle it here would drop that.
        this.#parts.passed(request);
        return;
      }
    }
    this.#parts.done(request, kind, text);
  }

  /** @returns null when it is not known; it is recorded later then */
  async #completed(ledger: LedgerPort, token: string, { request: { id }, kind, text }: Ended): Promise<boolean | null> {
    const record = (): Promise<boolean> => ledger.complete(id, token, kind + text);
    try {
      return await record();
    } catch (error) {
      this.#ledgerFailed(error);
      this.#parts.records.add(record);
      return null;
    }
  }

  #isUnsure({ readIn }: ServedRequest): boolean {
    const { isSure, epoch } = this.#parts.certainty;
    return !isSure || readIn !== epoch;
  }

  #record(record: () => Promise<unknown>): void {
    record().catch((error: unknown) => {
      this.#ledgerFailed(error);
      this.#parts.records.add(record);
    });
  }

  async #outcomeOf(request: ServedRequest, { handle }: AnsweringMethod): Promise<[AnswerKind, string]> {
    try {
      return this.#answerOf(request, await handle(request));
    } catch (thrown) {
      return this.#failureOf(request, thrown);
    }
  }

  /** The answer by which the caller learns of an error that the method threw. */
  #failureOf(request: ServedRequest, thrown: unknown): [AnswerKind, string] {
    reportFailure(request, thrown);
    if (!(thrown instanceof AnsweredFailure)) return ['e', this.#errorText(request, thrown)];
    const answer = this.#answerOf(request, thrown.text);
    request.failure = codeOf(thrown.cause);
    return answer;
  }

  #errorText(request: ServedRequest, thrown: unknown): string {
    request.failure = codeOf(thrown);
    return errorText(thrown, this.#parts.exposeStacks);
  }
}

/** Whether nobody waits for its answer, or others are to execute it. */
function isOver(request: ServedRequest): boolean {
  return request.isAbandoned || request.isCancelled || request.remainingMs() <= 0;
}

/** A request with a name of its own may be repeated long after; any other by its caller alone, before its deadline. */
function ledgerOf({ frame }: ServedRequest, ledgers: MethodLedgers | undefined): LedgerPort | undefined {
  return frame.requestId === null && frame.budgetMs <= UNNAMED_KEPT_MS ? ledgers?.unnamed : ledgers?.named;
}

const NO_TEXT = 'The method answered with something that is no text.';
const KEPT_NO_RESULT = 'The request was executed before, and its result was too large to be kept: it is not executed again.';

type Mine = { readonly kind: 'mine'; readonly token: string };
type Busy = { readonly kind: 'busy'; readonly retryMs: number };
type Done = { readonly kind: 'done'; readonly result: string };

interface Ended {
  readonly request: ServedRequest;
  readonly kind: AnswerKind;
  readonly text: string;
}

interface Work {
  readonly request: ServedRequest;
  readonly method: AnsweringMethod;
}
