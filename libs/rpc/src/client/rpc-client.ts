import { asError, MillraceError, presentSpans, type SpanFacts, type UnknownProperties } from '@millrace/core';
import { BalancedCalls } from '../balance/balanced-calls.js';
import type { Balancer } from '../balance/balancer.js';
import type { RpcClientOptions } from '../balance/client-options.js';
import { clientRules } from '../balance/client-rules.js';
import type { OutgoingCall } from '../call/outgoing-call.js';
import { type CallOptions, callOptions } from '../contract/call-options.js';
import type { CallPort } from '../contract/call-port.js';
import { type ClientMethod, clientMethod, type ClientMethodParts } from './client-method.js';
import { LONGEST_ANSWER_MS } from '../contract/method-rules.js';
import { type ContractClass, type ContractDefinition, contractOf } from '../contract/rpc-contract.js';
import { ClientStream } from './stream-client.js';

/** The circumstances of a client. */
export interface ClientParts {
  readonly calls: CallPort;
  /** For contracts that say nothing themselves. */
  readonly unknownProperties?: UnknownProperties | undefined;
  /** How it chooses instances and treats failures; it needs a {@link balancer}. Default: none of it is there. */
  readonly options?: RpcClientOptions | undefined;
  /** Shared by the clients of a process. */
  readonly balancer?: Balancer | undefined;
}

type Call = (request?: unknown, options?: CallOptions) => Promise<unknown>;
type StreamingCall = (request?: unknown, options?: CallOptions) => AsyncIterableIterator<unknown>;

/**
 * An object with the methods of a contract, each of which calls the service. The request is validated before it is sent, the
 * answer, or each item of a streamed one, before it is given.
 *
 * @throws MillraceError NOT_A_CONTRACT; INVALID_OPTIONS with every problem
 */
export function rpcClient<C extends object>(contract: ContractClass<C>, given: ClientParts): C {
  const definition = contractOf(contract);
  const parts: ClientMethodParts & Pick<ClientParts, 'calls'> = given.options === undefined ? given : balanced(definition, given);
  const client = Object.create(contract.prototype as object) as C;
  for (const declared of definition.methods.values()) {
    const method = clientMethod(definition, declared, parts);
    const facts: SpanFacts = { operation: 'call', target: definition.service, detail: declared.name };
    const value = method.isStreamed ? streamOf(method, parts.calls, facts) : spanned(callOf(method, parts.calls), facts);
    Object.defineProperty(client, declared.name, { value, enumerable: true });
  }
  return client;
}

/** The calls of a client with options go through its policies. */
function balanced(definition: ContractDefinition, parts: ClientParts): ClientMethodParts & Pick<ClientParts, 'calls'> {
  const where = `The client of service '${definition.service}'`;
  const { calls, balancer, unknownProperties } = parts;
  const rules = clientRules(definition, parts.options, where);
  if (balancer === undefined) throw new MillraceError('INVALID_OPTIONS', `${where} has options and no balancer: give it one.`);
  return { calls: new BalancedCalls({ calls, balancer, definition, rules }), unknownProperties, keyOf: rules.key };
}

function callOf({ where, prepare, answered }: ClientMethod, calls: CallPort): Call {
  const send = (call: OutgoingCall): Promise<unknown> => {
    if (call.timeoutMs > LONGEST_ANSWER_MS) throw tooPatient(where);
    return calls.call(call).then(answered);
  };
  return (request, options) => {
    try {
      const call = prepare(request, given(options, where));
      return call instanceof Promise ? call.then(send) : send(call);
    } catch (thrown) {
      return Promise.reject(asError(thrown));
    }
  };
}

function spanned(call: Call, facts: SpanFacts): Call {
  return (request, options) => {
    const spans = presentSpans();
    return spans === null ? call(request, options) : spans.around(facts, () => call(request, options));
  };
}

/** The request is made and validated at once, as it is then; an error of that is thrown for the first item. */
function streamOf({ where, prepare, answered: decode }: ClientMethod, calls: CallPort, facts: SpanFacts): StreamingCall {
  const send = (call: OutgoingCall): AsyncIterable<string> => calls.stream(call);
  return (request, options) => {
    const span = presentSpans()?.open(facts);
    const make = (): ReturnType<typeof prepare> => prepare(request, given(options, where));
    try {
      const call = span ? span.run(make) : make();
      if (!(call instanceof Promise)) return new ClientStream({ open: () => send(call), decode, span });
      // It may never be asked for.
      call.catch(() => undefined);
      return new ClientStream({ open: () => call.then(send), decode, span });
    } catch (thrown) {
      return new ClientStream({ open: () => Promise.reject(asError(thrown)), decode, span });
    }
  };
}

function given(options: CallOptions | undefined, where: string): CallOptions | undefined {
  return options === undefined ? undefined : callOptions(options, where);
}

function tooPatient(where: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `${where} gives one answer: its timeout must be at most '1h'. Only a streamed answer may take up to '1d'.`);
}
