import 'reflect-metadata';
import { MillraceError, quote } from '@millrace/core';
import { carryMetadata } from './carry-metadata.js';
import { declareParameters } from './handler-parameters.js';

/** As users write them. */
export const DECORATORS = {
  subscribe: '@Subscribe',
  'subscribe-batch': '@SubscribeBatch',
  'subscribe-broadcast': '@SubscribeBroadcast',
  'on-dead-letter': '@OnDeadLetter',
  'on-assigned': '@OnAssigned',
  'on-revoked': '@OnRevoked',
  'transaction-check': '@TransactionCheck',
  job: '@JobHandler',
  rpc: '@RpcService',
} as const;

/** The arguments of a decorator on a method, unchecked: the boot checks them, and reports all mistakes at once. */
export interface HandlerDeclaration {
  readonly kind: keyof typeof DECORATORS;
  /** A class with `@Topic`, `@Job` or `@RpcContract`, or a defined topic, if the user made no mistake. */
  readonly contract: unknown;
  readonly options: unknown;
}

type Method = (...args: never[]) => unknown;

/**
 * A decorator of methods that take `payload` and, if they like, `context`. Anything else is a compile error at the
 * decorator: a parameter that the payload does not fit, or one more that nobody would fill.
 */
export type HandlerDecorator<Payload, Context, Result = unknown> = <M extends Method>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<M> & Fitting<M, Handler<Payload, Context, Result>>,
) => void;

/** Methods are compared as functions are: TypeScript itself would let a method take a narrower payload. */
type Fitting<M extends Method, Wanted> = ((...args: Parameters<M>) => ReturnType<M>) extends Wanted
  ? unknown
  : HandlerDoesNotFit<Wanted>;

type Handler<Payload, Context, Result> = (payload: Payload, context: Context) => Result;

/** Named so that the compiler's message says what is wrong. */
interface HandlerDoesNotFit<Wanted> {
  readonly aHandlerMustTake: Wanted;
}

/** A decorated method, as a class declares it. */
export interface DeclaredMethod {
  readonly name: string;
  /** The prototype that it was declared on. */
  readonly owner: object;
  /** In the order in which they are written above the method. */
  readonly declarations: readonly HandlerDeclaration[];
  /** The functions that decorators of ours stood on; other decorators may have put another one in their place since. */
  readonly written: ReadonlySet<object>;
}

const DECLARED = Symbol('millrace:handlers');

interface DecoratedPlace {
  readonly target: object;
  readonly name: string | symbol;
  readonly descriptor: PropertyDescriptor;
}

/**
 * Declares that a method handles; it may do so several times. This is kept with the class, by the name of the method: a
 * decorator above ours may replace the function.
 */
export function declareHandler(declaration: HandlerDeclaration, { target, name, descriptor }: DecoratedPlace): void {
  const method: unknown = descriptor?.value;
  if (typeof method !== 'function' || typeof name !== 'string' || typeof target === 'function') {
    throw new MillraceError('INVALID_OPTIONS', `${DECORATORS[declaration.kind]} stands on ${quote(String(name))}, which is not a method of instances with a name.`);
  }
  const known = methodsOf(target).get(name);
  const declarations = [declaration, ...(known?.declarations ?? [])];
  const written = new Set([...(known?.written ?? []), method]);
  methodsOf(target).set(name, { name, owner: target, declarations, written });
  declareParameters(target.constructor, name);
  // Once the class is complete, and before Nest looks for guards.
  queueMicrotask(() => carryMetadata(written, Object.getOwnPropertyDescriptor(target, name)?.value));
}

/** The decorated methods of a class and its ancestors; where both declare one, that of the class. */
export function declaredMethods(prototype: object): DeclaredMethod[] {
  const found = new Map<string, DeclaredMethod>();
  for (let owner: object | null = prototype; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    for (const [name, method] of ownMethods(owner) ?? []) if (!found.has(name)) found.set(name, method);
  }
  return [...found.values()];
}

function methodsOf(target: object): Map<string, DeclaredMethod> {
  const known = ownMethods(target);
  if (known) return known;
  const made = new Map<string, DeclaredMethod>();
  Reflect.defineMetadata(DECLARED, made, target);
  return made;
}

function ownMethods(target: object): Map<string, DeclaredMethod> | undefined {
  return Reflect.getOwnMetadata(DECLARED, target) as Map<string, DeclaredMethod> | undefined;
}
