import { newMessageId } from '@millrace/core';
import type { OutgoingCall } from '../call/outgoing-call.js';
import { RpcCancelledError, RpcTimeoutError } from '../errors.js';
import type { RpcRequest } from '../serve/service-definition.js';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** A request to an implementation in this process. */
export class LocalRequest implements RpcRequest {
  readonly id: string;
  readonly service: string;
  readonly version: string;
  readonly method: string;
  readonly payload: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly caller = 'local';
  readonly takenOver = false;
  readonly #call: OutgoingCall;
  readonly #abort = new AbortController();
  /** Stops the clock, and listens to its caller no longer. */
  #leave: () => void = () => undefined;
  readonly #endsAtMs: number;

  constructor(call: OutgoingCall) {
    this.id = call.requestId ?? newMessageId();
    this.service = call.service;
    this.version = call.version;
    this.method = call.method;
    this.payload = call.payloadJson;
    this.headers = call.headers ?? NO_HEADERS;
    this.#call = call;
    this.#endsAtMs = performance.now() + call.timeoutMs;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  remainingMs(): number {
    return this.#endsAtMs - performance.now();
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#leave();
    this.#abort.abort();
  }

  /**
   * Gives the answer, unless the time is over or the caller gives up before.
   *
   * @throws RpcTimeoutError, RpcCancelledError, and what `handle` rejects with
   */
  within(handle: () => Promise<string | null>): Promise<string | null> {
    const { signal, timeoutMs } = this.#call;
    const name = nameOf(this.#call);
    return new Promise((resolve, reject) => {
      const end = (error: Error): void => {
        this.#leave();
        reject(error);
        this.#abort.abort(error);
      };
      const giveUp = (): void => end(cancelled(name, signal?.reason));
      const timer = setTimeout(() => end(timedOut(name, timeoutMs)), timeoutMs);
      signal?.addEventListener('abort', giveUp);
      this.#leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
      };
      handle().finally(() => this.#leave()).then(resolve, reject);
    });
  }
}

/** @returns null when its caller has not given it up before it is made */
export function cancelledBefore(call: OutgoingCall): RpcCancelledError | null {
  return call.signal?.aborted ? cancelled(nameOf(call), call.signal.reason) : null;
}

function nameOf({ service, method }: OutgoingCall): string {
  return `${service}.${method}()`;
}

function cancelled(name: string, reason: unknown): RpcCancelledError {
  return new RpcCancelledError(`${name} was given up by its caller.`, reason);
}

function timedOut(name: string, timeoutMs: number): RpcTimeoutError {
  const message = `${name} was not answered within ${timeoutMs} ms. Its method has begun, and may still end well.`;
  return new RpcTimeoutError(message, { retryable: false, mayHaveRun: true });
}
