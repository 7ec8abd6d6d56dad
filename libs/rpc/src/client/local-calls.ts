import { isCalledHeard, tellCalled } from '../call/called-events.js';
import { IncomingStream } from '../call/incoming-stream.js';
import type { OutgoingCall } from '../call/outgoing-call.js';
import type { AnsweringMethod, RpcRequest, ServedMethod } from '../serve/service-definition.js';
import { codeOf, errorOf, errorText } from '../wire/error-answer.js';
import { DEFAULT_WINDOW } from '../wire/stream-frame.js';
import type { CallPort } from '../contract/call-port.js';
import { cancelledBefore, LocalRequest } from './local-request.js';
import { type ItemsMethod, LocalStream } from './local-stream.js';

/**
 * Calls methods of an implementation in this process, without Redis. Requests, answers and errors take the same form as over
 * Redis: a caller cannot tell the difference, but nothing is sent again and nothing is kept.
 */
export class LocalCalls implements CallPort {
  readonly #methods: ReadonlyMap<string, ServedMethod>;

  constructor(methods: ReadonlyMap<string, ServedMethod>) {
    this.#methods = methods;
  }

  call(call: OutgoingCall): Promise<string | null> {
    return isCalledHeard() ? told(call, this.#call(call)) : this.#call(call);
  }

  stream(call: OutgoingCall): AsyncIterable<string> {
    const method = this.#methods.get(call.method) as ItemsMethod;
    return new IncomingStream(call.window ?? DEFAULT_WINDOW, new LocalStream(call, method));
  }

  async #call(call: OutgoingCall): Promise<string | null> {
    const refusal = cancelledBefore(call);
    if (refusal !== null) throw refusal;
    const request = new LocalRequest(call);
    const handled = (): Promise<string | null> => this.#handled(call.method, request);
    if (!call.oneWay) return request.within(handled);
    handled().catch(() => undefined);
    return null;
  }

  async #handled(method: string, request: RpcRequest): Promise<string | null> {
    try {
      return await (this.#methods.get(method) as AnsweringMethod).handle(request);
    } catch (thrown) {
      throw errorOf(errorText(thrown, false));
    }
  }
}

/** Tells observers how a call ends. */
async function told(call: OutgoingCall, ending: Promise<string | null>): Promise<string | null> {
  const sinceMs = performance.now();
  try {
    const answer = await ending;
    tellCalled(call, null, performance.now() - sinceMs);
    return answer;
  } catch (thrown) {
    tellCalled(call, codeOf(thrown), performance.now() - sinceMs);
    throw thrown;
  }
}
