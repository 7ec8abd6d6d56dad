import { MillraceError } from '@millrace/core';
import type { CallContext } from './call-context.js';
import type { ContractDefinition, MethodDefinition } from './rpc-contract.js';

/**
 * An object with the methods of a contract: each gets the request, and the context of the call in the place of its options. It
 * may answer at once, or by a promise; a streamed answer is an async iterable, as an async generator gives.
 */
export type Implementation<C> = { readonly [M in keyof C & string]: ImplementedMethodOf<C[M]> };

type ImplementedMethodOf<F> = F extends (...args: infer A) => infer R
  ? (request: A[0], context: CallContext) => R extends AsyncIterable<unknown> ? R | Promise<R> : R | Awaited<R>
  : never;

type Handle = (request: object | undefined, context: CallContext) => Promise<unknown>;

/** @throws MillraceError CONTRACT_CONFLICT when the object has no such method */
export function methodIn(contract: ContractDefinition, method: MethodDefinition, implementation: object): Handle {
  const object = implementation as Record<string, (...args: unknown[]) => unknown>;
  const { name } = method;
  if (typeof object[name] !== 'function') throw missingMethod(contract, method, implementation.constructor.name);
  // Looked up at each call: a test may have put another function there.
  return async (request, context) => await object[name]!(request, context);
}

export function missingMethod(contract: ContractDefinition, { name }: MethodDefinition, implementer: string): MillraceError {
  const { service, version, type } = contract;
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `${implementer} implements ${type.name} (service '${service}', version '${version}') and has no method '${name}': add it, or take it out ` +
      'of @RpcContract.',
  );
}
