import type { IncomingStream, StreamSource } from '../call/incoming-stream.js';
import type { OutgoingCall } from '../call/outgoing-call.js';
import { RpcCancelledError, RpcTimeoutError } from '../errors.js';
import type { AnswerItems, RpcRequest } from '../serve/service-definition.js';
import { StreamPump } from '../serve/stream-pump.js';
import { errorOf, errorText } from '../wire/error-answer.js';
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

  constructor(call: OutgoingCall, method: ItemsMethod) {
    this.#call = call;
    this.#method = method;
  }

  begin(incoming: IncomingStream): void {
    const refusal = cancelledBefore(this.#call);
    if (refusal !== null) return incoming.end(refusal);
    const request = new LocalRequest(this.#call);
    const send = (text: string, number: number): void => void incoming.item(number, text);
    this.#request = request;
    this.#pump = new StreamPump({ window: incoming.window, signal: request.signal, send });
    request.within(() => this.#pumped(this.#pump!, request)).then(() => incoming.end(null), (error: unknown) => {
      if (error instanceof RpcTimeoutError || error instanceof RpcCancelledError) incoming.giveUp(error);
      else incoming.end(error as Error);
    });
  }

  grant(upTo: number): void {
    this.#pump?.grant(upTo);
  }

  close(): void {
    this.#request?.cancel();
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
