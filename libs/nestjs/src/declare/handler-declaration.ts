import 'reflect-metadata';
import { MillraceError, quote } from '@millrace/core';
import { declareParameters } from './handler-parameters.js';

/** As users write them. */
export const DECORATORS = {
  subscribe: '@Subscribe',
  'subscribe-batch': '@SubscribeBatch',
  'subscribe-broadcast': '@SubscribeBroadcast',
  'on-dead-letter': '@OnDeadLetter',
  job: '@JobHandler',
} as const;

/** What a decorator wrote on a method, as it was written: it is checked at boot, where all mistakes are reported at once. */
export interface HandlerDeclaration {
  readonly kind: keyof typeof DECORATORS;
  /** A class with `@Topic` or `@Job`, if the user made no mistake. */
  readonly contract: unknown;
  readonly options: unknown;
}

type Method = (...args: never[]) => unknown;

/**
 * A decorator of methods that take `payload` and, if they like, `context`. Anything else is a compile error at the
 * decorator: a parameter that the payload does not fit, or one more that nobody would fill.
 */
export type HandlerDecorator<Payload, Context> = <M extends Method>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<M> & Fitting<M, Payload, Context>,
) => void;

/** Methods are compared as functions are: TypeScript itself would let a method take a narrower payload. */
type Fitting<M extends Method, Payload, Context> = ((...args: Parameters<M>) => unknown) extends Handler<Payload, Context>
  ? unknown
  : HandlerDoesNotFit<Payload, Context>;

type Handler<Payload, Context> = (payload: Payload, context: Context) => unknown;

/** Named so that the compiler's message says what is wrong. */
interface HandlerDoesNotFit<Payload, Context> {
  readonly aHandlerMustTake: Handler<Payload, Context>;
}

const DECLARATIONS = Symbol('millrace:handlers');

interface DecoratedPlace {
  readonly target: object;
  readonly name: string | symbol;
  readonly descriptor: PropertyDescriptor;
}

/** Writes a declaration on a method; a method may have several. */
export function declareHandler(declaration: HandlerDeclaration, { target, name, descriptor }: DecoratedPlace): void {
  const method: unknown = descriptor?.value;
  if (typeof method !== 'function' || typeof name !== 'string' || typeof target === 'function') {
    throw new MillraceError('INVALID_OPTIONS', `${DECORATORS[declaration.kind]} stands on ${quote(String(name))}, which is not a method of instances with a name.`);
  }
  Reflect.defineMetadata(DECLARATIONS, [declaration, ...declarationsOf(method)], method);
  declareParameters(target.constructor, name);
}

/** In the order in which they are written above the method. */
export function declarationsOf(method: unknown): readonly HandlerDeclaration[] {
  if (typeof method !== 'function') return [];
  return (Reflect.getOwnMetadata(DECLARATIONS, method) as readonly HandlerDeclaration[] | undefined) ?? [];
}
