import { type ContractClass, contractOf, type Implementation, missingMethod } from '@millrace/rpc';
import { declareHandler } from '../declare/handler-declaration.js';
import type { RpcServiceOptions } from './rpc-service-options.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- only `any[]` accepts every constructor
type Implementing<C> = abstract new (...args: any[]) => Implementation<C>;

/**
 * Makes a provider the implementation of a contract: each process that runs it serves calls of the contract's methods. A method
 * is called with the request, an instance of its class, and a {@link CallContext}. The value that it returns, or a
 * promise of it, is the answer; an error that it throws reaches the caller. Guards, pipes, interceptors and filters surround it.
 *
 * A class that lacks a method, or whose method takes or gives something else, is a compile error.
 *
 * @throws MillraceError NOT_A_CONTRACT; CONTRACT_CONFLICT when a method is missing. Options are checked at the start
 */
export function RpcService<C extends object>(
  contract: ContractClass<C>,
  options: RpcServiceOptions = {},
): (target: Implementing<C>) => void {
  return (target) => {
    const definition = contractOf(contract);
    const prototype = target.prototype as object;
    const declaration = { kind: 'rpc', contract, options } as const;
    for (const method of definition.methods.values()) {
      const descriptor = descriptorOf(prototype, method.name);
      if (typeof descriptor?.value !== 'function') throw missingMethod(definition, method, target.name);
      // An inherited method is declared here, so that other heirs of its class do not serve as well.
      if (!Object.hasOwn(prototype, method.name)) Object.defineProperty(prototype, method.name, descriptor);
      declareHandler(declaration, { target: prototype, name: method.name, descriptor });
    }
  };
}

function descriptorOf(prototype: object, name: string): PropertyDescriptor | undefined {
  for (let place: object | null = prototype; place !== null; place = Object.getPrototypeOf(place) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(place, name);
    if (descriptor) return descriptor;
  }
  return undefined;
}
