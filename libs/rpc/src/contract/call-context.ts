import { Lease, type MemoPort, NO_MEMO, StepMemo, type TraceContext, traceOf } from '@millrace/core';
import type { RpcRequest } from '../serve/service-definition.js';

interface CallParts {
  readonly limit?: AbortSignal | undefined;
  /** Absent where the request is never executed again. */
  readonly memo?: MemoPort | undefined;
  /** Whether the method has ended. */
  readonly isOver?: boolean;
}

/** The second argument of a method of a service: everything about the call beside its request. */
export class CallContext {
  /** Unique, and the same each time that the request is sent again or taken over. */
  readonly requestId: string;
  readonly service: string;
  readonly version: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The process that calls, by the name that it has in Redis; `_later.<id>` for a call whose result is fetched later. */
  readonly caller: string;
  /** Whether an instance that is gone may have begun it; only requests of idempotent methods are executed then. */
  readonly takenOver: boolean;
  readonly #request: RpcRequest;
  readonly #own: CallParts;
  #steps: StepMemo | undefined;

  constructor(request: RpcRequest, own: CallParts = {}) {
    this.requestId = request.id;
    this.service = request.service;
    this.version = request.version;
    this.method = request.method;
    this.headers = request.headers;
    this.caller = request.caller;
    this.takenOver = request.takenOver;
    this.#request = request;
    this.#own = own;
  }

  /** Aborts when nobody waits for the answer any more: the caller gave up, the time is over, or this process stops. Stop then. */
  get signal(): AbortSignal {
    return this.#own.limit ?? this.#request.signal;
  }

  /** How many milliseconds the caller still waits, by Redis's clock; 0 or less when it waits no longer. */
  get remainingMs(): number {
    return this.#request.remainingMs();
  }

  /**
   * Runs a step of the method, and remembers its result as JSON where the method is idempotent: another execution of the same
   * request skips a step that is done, and gets the result that was stored first. It is kept until the answer is recorded, for 7
   * days at the most. Calls with the same name in one execution run the step once. A step that throws is not remembered. A
   * process that dies between the step and its record repeats the step.
   *
   * @param step 1 to 256 bytes of UTF-8; 100 names a request at the most
   * @throws MillraceError MEMO_TOO_LARGE, UNSERIALIZABLE_PAYLOAD the step ran, and is not remembered; MEMO_FULL, INVALID_INPUT;
   *   CLOSED the method has ended, and the step was not run; the reason of {@link signal} when nobody waits for the answer any
   *   more
   */
  async once<T>(step: string, run: () => T | Promise<T>): Promise<T> {
    this.#steps ??= this.#newSteps();
    return this.#steps.once(step, run);
  }

  #newSteps(): StepMemo {
    const { memo = NO_MEMO } = this.#own;
    const id = this.requestId;
    this.#request.onRecorded = () => memo.forget(id);
    return new StepMemo({ memo, id, lease: new CallLease(this.signal), isOver: () => this.#own.isOver === true });
  }

  /** The trace that the call belongs to; what the method publishes or calls belongs to it too. */
  get trace(): TraceContext | null {
    return traceOf(this.headers);
  }
}

/** A call is held for as long as somebody waits for its answer. */
class CallLease extends Lease {
  readonly #waited: AbortSignal;

  constructor(waited: AbortSignal) {
    super();
    this.#waited = waited;
  }

  override get isGivenUp(): boolean {
    return this.#waited.aborted;
  }

  override get signal(): AbortSignal {
    return this.#waited;
  }
}
