import { asError, MillraceError, parseOptions, type UnknownProperties } from '@millrace/core';
import type { OutgoingCall } from '../call/outgoing-call.js';
import { RpcNoInstanceError } from '../errors.js';
import { CallHandle } from './call-handle.js';
import { type ClientMethod, clientMethod } from './client-method.js';
import { BroadcastCallOptions, StartOptions } from './remote-options.js';
import type { RemotePort } from './remote-port.js';
import { type ContractClass, type ContractDefinition, contractOf, type MethodDefinition } from '../contract/rpc-contract.js';

/** The names of the methods of a contract that give one answer, or none: a stream is not kept or gathered. */
export type MethodName<C> = {
  [K in keyof C & string]: C[K] extends (...args: never[]) => Promise<unknown> ? K : never;
}[keyof C & string];

/** The type of the request of a method; undefined when it takes none. */
export type RequestOf<F> = F extends (...args: infer A) => unknown ? A[0] : never;

/** The type of the answer of a method. */
export type AnswerOf<F> = F extends (...args: never[]) => Promise<infer O> ? O : never;

/** The method of this name of a contract. */
export type RemoteMethodOf<C, M extends MethodName<C>> = RemoteMethod<RequestOf<C[M]>, AnswerOf<C[M]>>;

/** A method that takes no request is given none, or undefined. */
export type Arguments<Request, Options> =
  undefined extends Request ? [request?: Request, options?: Options] : [request: Request, options?: Options];

/** The answer of one instance, or why there is none. */
export type InstanceAnswer<Answer> =
  | { readonly instance: string; readonly status: 'fulfilled'; readonly value: Answer }
  | { readonly instance: string; readonly status: 'rejected'; readonly reason: Error };

export interface RemoteMethodParts {
  /** Resolves when there are connections. */
  readonly port: () => Promise<RemotePort>;
  /** For contracts that say nothing themselves. */
  readonly unknownProperties?: UnknownProperties | undefined;
}

/** One method of a service, for calls that are more than a request and its answer. */
export class RemoteMethod<Request, Answer> {
  readonly #contract: ContractDefinition;
  readonly #definition: MethodDefinition;
  readonly #method: ClientMethod;
  readonly #port: () => Promise<RemotePort>;

  /** @throws MillraceError NOT_A_CONTRACT, UNKNOWN_METHOD */
  constructor(contract: ContractClass, name: string, { port, unknownProperties }: RemoteMethodParts) {
    this.#contract = contractOf(contract);
    const definition = this.#contract.methods.get(name);
    if (!definition) throw notThere(this.#contract, name);
    this.#definition = definition;
    this.#method = clientMethod(this.#contract, definition, { unknownProperties });
    this.#port = port;
  }

  /**
   * Sends a call and resolves when Redis has the request; its result is fetched later by the handle, or by {@link handle} with
   * the same id in any process.
   *
   * @throws MillraceError INVALID_PAYLOAD, INVALID_OPTIONS; INVALID_INPUT the method is one-way, or the id belongs to a call of
   *   another method; NO_INSTANCE, BACK_PRESSURE, CALL_TIMEOUT, REDIS_FAILED; CALL_INDEFINITE Redis did not say whether it has
   *   the request: the handle of the id says how it ends
   */
  async start(...[request, options = {}]: Arguments<Request, StartOptions>): Promise<CallHandle<Answer>> {
    const { where } = this.#method;
    if (this.#definition.oneWay) throw new MillraceError('INVALID_INPUT', `${where} is one-way, so it has no result that could be fetched: call it.`);
    this.#assertOneAnswer();
    const { id, ...rest } = parseOptions(StartOptions, options, `start of ${where}`);
    const call = await this.#method.prepare(request, rest);
    return this.handle(await (await this.#port()).start(call, id));
  }

  /** The handle of a call that was started by this process or another one: nothing is looked up before it is asked. */
  handle(id: string): CallHandle<Answer> {
    const { service, version } = this.#contract;
    const started = { service, version, method: this.#definition.name, id };
    return new CallHandle({ started, method: this.#method, port: this.#port });
  }

  /**
   * Calls every instance that takes calls, and resolves with their answers and failures, sorted by instance. It takes as long as
   * the slowest of them, and the timeout at the most.
   *
   * @throws RpcNoInstanceError NO_INSTANCE
   * @throws MillraceError INVALID_PAYLOAD, INVALID_OPTIONS; REDIS_UNREACHABLE the instances are not known
   */
  async broadcast(...given: Arguments<Request, BroadcastCallOptions>): Promise<readonly InstanceAnswer<Answer>[]> {
    this.#assertOneAnswer();
    const [request, options = {}] = given;
    const rules = parseOptions(BroadcastCallOptions, options, `broadcast of ${this.#method.where}`);
    const call = await this.#method.prepare(request, rules);
    const port = await this.#port();
    const { service, version } = this.#contract;
    await port.instances.use(service);
    const instances = port.instances.instances({ service, version });
    if (instances.length === 0) throw nobodyThere(this.#contract);
    return Promise.all(instances.map(({ member }) => this.#answerOf(port, member, call)));
  }

  #assertOneAnswer(): void {
    if (!this.#method.isStreamed) return;
    throw new MillraceError('INVALID_INPUT', `${this.#method.where} answers with a stream, which is not gathered or kept: iterate over it through a client.`);
  }

  #answerOf(port: RemotePort, instance: string, call: OutgoingCall): Promise<InstanceAnswer<Answer>> {
    const { answered } = this.#method;
    return port.call({ ...call, instance }).then(answered).then(
      (value): InstanceAnswer<Answer> => ({ instance, status: 'fulfilled', value: value as Answer }),
      (reason: unknown): InstanceAnswer<Answer> => ({ instance, status: 'rejected', reason: asError(reason) }),
    );
  }
}

function nobodyThere({ service, version }: ContractDefinition): RpcNoInstanceError {
  return new RpcNoInstanceError(`No instance of service '${service}' in version '${version}' is running, so nobody was called.`);
}

function notThere({ type, methods }: ContractDefinition, name: string): MillraceError {
  return new MillraceError('UNKNOWN_METHOD', `${type.name} has no method '${name}': it has ${[...methods.keys()].join(', ')}.`);
}
