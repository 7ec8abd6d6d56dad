import { Injectable } from '@nestjs/common';
import { AnyJson, durationMs, encoded, isDuration, MillraceError, quote } from '@millrace/core';
import { Calls, Contracts } from '@millrace/nestjs';

/** A method of a service, by names. */
export interface MethodName {
  readonly service: string;
  readonly version: string;
  readonly method: string;
}

export interface ServiceCallOptions {
  /** `'1ms'` to `'1h'`. Default: that of the contract, else `'5s'`. */
  readonly timeout: string | undefined;
  /** Names the request of an idempotent method. */
  readonly requestId: string | undefined;
  readonly signal: AbortSignal;
}

export interface ServiceAnswer {
  /** JSON text; null for none. */
  readonly json: string | null;
  readonly isOneWay: boolean;
}

type Contract = NonNullable<ReturnType<Contracts['service']>>;
type Method = Contract['methods'] extends ReadonlyMap<string, infer M> ? M : never;

const WITHOUT_CONTRACT: Pick<Method, 'timeoutMs' | 'idempotent' | 'oneWay'> = { timeoutMs: durationMs('5s'), idempotent: false, oneWay: false };
const LONGEST_MS = durationMs('1h');

/** Calls methods by their names, with JSON, by the contracts of the application where it has them. */
@Injectable()
export class ServiceCalls {
  readonly #contracts: Contracts;
  readonly #calls: Calls;

  constructor(contracts: Contracts, calls: Calls) {
    this.#contracts = contracts;
    this.#calls = calls;
  }

  /**
   * @param request null for none
   * @throws MillraceError INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD (it nests too deep), UNKNOWN_METHOD, and those
   *   of a call
   */
  async call(name: MethodName, request: unknown, options: ServiceCallOptions): Promise<ServiceAnswer> {
    const contract = this.#contracts.service(name.service, name.version);
    const method = contract && methodOf(contract, name);
    const payloadJson = method ? await requestOf(contract, method, request) : await anyRequest(request);
    const { timeout, requestId, signal } = options;
    const { timeoutMs: patience, idempotent, oneWay: isOneWay } = method ?? WITHOUT_CONTRACT;
    const timeoutMs = timeout === undefined ? Math.min(patience, LONGEST_MS) : timeoutOf(timeout);
    const json = await this.#calls.call({ ...name, payloadJson, timeoutMs, idempotent, requestId, signal, oneWay: isOneWay });
    return { json, isOneWay };
  }
}

function methodOf(contract: Contract, { service, method: name }: MethodName): Method {
  const method = contract.methods.get(name);
  if (!method) throw new MillraceError('UNKNOWN_METHOD', `Service ${quote(service)} has no method ${quote(name)}: it has ${[...contract.methods.keys()].join(', ')}.`);
  if (method.items === null) return method;
  throw new MillraceError('INVALID_INPUT', `${service}.${name}() answers with a stream, which HTTP does not carry here: call it by a client of its contract.`);
}

/** @throws MillraceError INVALID_PAYLOAD, INVALID_INPUT */
function requestOf(contract: Contract, { name, input }: Method, request: unknown): string | Promise<string> {
  const { service, unknownProperties } = contract;
  const where = `${service}.${name}()`;
  // The service refuses by its own rule what the class does not declare.
  const rule = unknownProperties ?? 'keep';
  if (input !== null) return encoded(input, { given: { payload: request, where }, unknownProperties: rule, isSorted: false });
  if (request === null) return 'null';
  throw new MillraceError('INVALID_INPUT', `${where} takes no request: send null.`);
}

/** Without a contract here the service alone looks at the request, but for its size and depth. */
function anyRequest(request: unknown): string | Promise<string> {
  return encoded(AnyJson, { given: { payload: request, where: 'The request' }, unknownProperties: 'keep', isSorted: false });
}

function timeoutOf(text: string): number {
  const ms = isDuration(text) ? durationMs(text) : 0;
  if (ms >= 1 && ms <= LONGEST_MS) return ms;
  throw new MillraceError('INVALID_OPTIONS', `The header millrace-timeout is ${quote(text)}: write a duration from '1ms' to '1h', such as 3s.`);
}
