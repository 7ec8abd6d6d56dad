import 'reflect-metadata';
import {
  assertName, classText, durationMs, MillraceError, orInACircle, parseOptions, type PayloadClass, replacedClassHint,
  type UnknownProperties,
} from '@millrace/core';
import { RpcContractOptions, type RpcMethodOptions, RpcMethodRules } from './contract-options.js';
import { misplacedOption } from './method-rules.js';

/** An abstract class that stands for a service. */
export type ContractClass<C extends object = object> = abstract new (...args: never[]) => C;

/** A method of a service. */
export interface MethodDefinition {
  readonly name: string;
  /** The class of its request; null when it takes none. */
  readonly input: PayloadClass | null;
  /** The class of its answer; null when it has none. */
  readonly output: PayloadClass | null;
  /** The class of the items of its streamed answer; null when it has none. */
  readonly items: PayloadClass | null;
  /** How many items may be sent ahead of what is taken; undefined: the default. */
  readonly window: number | undefined;
  /** How long a caller waits for the answer unless it says so itself. */
  readonly timeoutMs: number;
  /** Whether a repeated request is answered with the first result, so that it may be sent again. */
  readonly idempotent: boolean;
  /** Whether callers wait for Redis alone, and there is no answer. */
  readonly oneWay: boolean;
}

/** A service in one of its versions. */
export interface ContractDefinition {
  readonly service: string;
  readonly version: string;
  readonly methods: ReadonlyMap<string, MethodDefinition>;
  /** The rule for properties that the classes do not declare; undefined: that of the process. */
  readonly unknownProperties: UnknownProperties | undefined;
  readonly type: ContractClass;
}

/** The names of methods that JavaScript, or Nest, calls on an object by itself: a client would send them to the service. */
const TAKEN: readonly string[] = [
  'constructor', 'then', 'toJSON', 'toString', 'valueOf', 'onModuleInit', 'onModuleDestroy', 'onApplicationBootstrap',
  'beforeApplicationShutdown', 'onApplicationShutdown',
];

const CONTRACT = Symbol('millrace:rpc-contract');

/**
 * Makes an abstract class the contract of a service: its name, its version, and for each method the class of the request, the
 * class of the answer, and how it may be called. Clients are injected by the class, and a class with `@RpcService` implements it.
 *
 * @param service 1 to 128 of `A-Z a-z 0-9 . _ -`
 * @param methods one entry for each method of the class
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS
 */
export function RpcContract<C extends object>(
  service: string,
  methods: RpcMethods<C>,
  options: RpcContractOptions = {},
): (target: ContractClass<C>) => void {
  assertName('service', service);
  const where = `@RpcContract('${service}')`;
  const { version, unknownProperties } = parseOptions(RpcContractOptions, options, where);
  const definitions = methodsOf(methods, where);
  return (target) => {
    const definition: ContractDefinition = { service, version, methods: definitions, unknownProperties, type: target };
    Reflect.defineMetadata(CONTRACT, Object.freeze(definition), target);
  };
}

/** @throws MillraceError NOT_A_CONTRACT */
export function contractOf(target: unknown): ContractDefinition {
  const definition: unknown = typeof target === 'function' ? Reflect.getOwnMetadata(CONTRACT, target) : undefined;
  if (definition) return definition as ContractDefinition;
  const advice = orInACircle("put @RpcContract('its-name', { ... }) on the abstract class.", target);
  throw new MillraceError('NOT_A_CONTRACT', `${classText(target)} is no contract of a service: ${advice}${replacedClassHint(target, isContract)}`);
}

export function isContract(target: unknown): target is ContractClass {
  return typeof target === 'function' && Reflect.hasOwnMetadata(CONTRACT, target);
}

/** @returns the entries by name, in their order */
function methodsOf(methods: unknown, where: string): ReadonlyMap<string, MethodDefinition> {
  if (methods === null || typeof methods !== 'object' || Object.keys(methods).length === 0) {
    throw new MillraceError('INVALID_OPTIONS', `${where}: name each method of the class, as { charge: { input: ChargeRequest, output: ChargeResult } }.`);
  }
  return new Map(Object.entries(methods).map(([name, given]) => [name, methodOf(name, given, where)]));
}

function methodOf(name: string, given: unknown, where: string): MethodDefinition {
  assertName('method', name);
  if (TAKEN.includes(name)) throw new MillraceError('INVALID_NAME', `${where}: a method cannot be called '${name}', which JavaScript or Nest calls by itself. Give it another name.`);
  const rules = parseOptions(RpcMethodRules, given, `${where}, method '${name}'`);
  const { input, output, items, window }: RpcMethodRules = rules;
  const { timeout, idempotent, oneWay } = rules;
  const timeoutMs = durationMs(timeout);
  const problem = misplacedOption({ output, items, oneWay, window, timeoutMs });
  if (problem !== null) throw new MillraceError('INVALID_OPTIONS', `${where}, method '${name}': ${problem}`);
  const classes = { input: input ?? null, output: output ?? null, items: items ?? null };
  return Object.freeze({ name, ...classes, window, timeoutMs, idempotent, oneWay });
}

/** The entries of `@RpcContract` for each method of the class: the types of request and answer are those of the method. */
export type RpcMethods<C> = { readonly [M in keyof C & string]: RpcMethod<C[M]> };

type RpcMethod<F> = F extends (...args: infer A) => Promise<infer O>
  ? OneAnswer & Input<A> & Output<O>
  : F extends (...args: infer A) => AsyncIterable<infer I> ? Streamed & Input<A> & Items<I> : never;

type OneAnswer = Omit<RpcMethodOptions, 'window'> & { readonly items?: undefined; readonly window?: undefined };
type Streamed = Omit<RpcMethodOptions, 'oneWay'> & { readonly output?: undefined; readonly oneWay?: false };

/** Items are instances of a class, as answers are. */
type Items<I> = 0 extends 1 & I ? never : [I] extends [object] ? { readonly items: PayloadClass<I> } : never;

type Input<A extends unknown[]> = A extends [] | [request?: undefined, ...rest: unknown[]]
  ? { readonly input?: undefined }
  : { readonly input: PayloadClass<Extract<A[0], object>> };

/** A method answers with an instance of a class, or not at all: null, texts, numbers and values of any type have no class. */
type Output<O> = 0 extends 1 & O
  ? never
  : [O] extends [Nothing]
    ? { readonly output?: undefined }
    : [O] extends [object] ? { readonly output: PayloadClass<O>; readonly oneWay?: false } : never;

type Nothing = Awaited<ReturnType<() => void>>;
