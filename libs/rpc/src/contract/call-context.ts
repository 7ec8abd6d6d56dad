import { type TraceContext, traceOf } from '@millrace/core';
import type { RpcRequest } from '../serve/service-definition.js';

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
  readonly #own: { readonly limit?: AbortSignal | undefined };

  constructor(request: RpcRequest, own: { readonly limit?: AbortSignal | undefined } = {}) {
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

  /** The trace that the call belongs to; what the method publishes or calls belongs to it too. */
  get trace(): TraceContext | null {
    return traceOf(this.headers);
  }
}
