import type { ErrorCode } from '@millrace/core';
import { isCalledHeard, tellCalled } from '../call/called-events.js';
import type { IncomingStream, StreamSource } from '../call/incoming-stream.js';
import type { OutgoingCall } from '../call/outgoing-call.js';
import { RpcCancelledError, RpcTimeoutError } from '../errors.js';
import type { AnswerItems, RpcRequest } from '../serve/service-definition.js';
import { StreamPump } from '../serve/stream-pump.js';
import { codeOf, errorOf, errorText } from '../wire/error-answer.js';
import { cancelledBefore, LocalRequest } from './local-request.js';

/** A method of a contract, which gives its items themselves. */
export interface ItemsMethod {
  readonly stream: (request: RpcRequest) => AnswerItems;
}

/** A streamed answer of an implementation in this process: its method is a window ahead of the consumer, as over Redis. */
export class LocalStream implements StreamSource {
  readonly #call: OutgoingCall;
  readonly #method: ItemsMethod;
  #request: LocalRequest | null = null;
  #pump: StreamPump | null = null;
  /** When it began, by the monotonic clock; null while nothing is to be told of it. */
  #toldSinceMs: number | null = null;

  constructor(call: OutgoingCall, method: ItemsMethod) {
    this.#call = call;
    this.#method = method;
  }

  begin(incoming: IncomingStream): void {
    if (isCalledHeard()) this.#toldSinceMs = performance.now();
    const refusal = cancelledBefore(this.#call);
    if (refusal !== null) return this.#refused(refusal, incoming);
    const request = new LocalRequest(this.#call);
    const send = (text: string, number: number): void => void incoming.item(number, text);
    this.#request = request;
    this.#pump = new StreamPump({ window: incoming.window, signal: request.signal, send });
    const ended = (): void => {
      this.#tell(null);
      incoming.end(null);
    };
    request.within(() => this.#pumped(this.#pump!, request)).then(ended, (error: unknown) => {
      this.#tell(codeOf(error));
      if (error instanceof RpcTimeoutError || error instanceof RpcCancelledError) incoming.giveUp(error);
      else incoming.end(error as Error);
    });
  }

  grant(upTo: number): void {
    this.#pump?.grant(upTo);
  }

  /** Its consumer has left it, which is no error. */
  close(): void {
    this.#tell(null);
    this.#request?.cancel();
  }

  #refused(refusal: RpcCancelledError, incoming: IncomingStream): void {
    this.#tell(refusal.code);
    incoming.end(refusal);
  }

  #tell(code: ErrorCode | null): void {
    if (this.#toldSinceMs === null) return;
    tellCalled(this.#call, code, performance.now() - this.#toldSinceMs);
    this.#toldSinceMs = null;
  }

  async #pumped(pump: StreamPump, request: LocalRequest): Promise<null> {
    try {
      await pump.run(this.#method.stream(request));
      return null;
    } catch (thrown) {
      throw errorOf(errorText(thrown, false));
    }
  }
}
