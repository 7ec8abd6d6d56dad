import type { UnknownProperties } from '@millrace/core';
import { LocalCalls } from './local-calls.js';
import { methodPipeline } from '../contract/method-pipeline.js';
import { rpcClient } from './rpc-client.js';
import { type ContractClass, contractOf } from '../contract/rpc-contract.js';
import { type Implementation, methodIn } from '../contract/implementation.js';

/**
 * A client of a service whose implementation is in this process: for tests, and for applications that are not apart yet. Requests
 * and answers are validated and copied as over Redis.
 *
 * @param unknownProperties for contracts that say nothing themselves. Default `'refuse'`
 * @throws MillraceError NOT_A_CONTRACT; CONTRACT_CONFLICT when the implementation lacks a method
 */
export function localClient<C extends object>(
  contract: ContractClass<C>,
  implementation: Implementation<C>,
  unknownProperties?: UnknownProperties,
): C {
  const definition = contractOf(contract);
  const methods = [...definition.methods.values()].map((method) => {
    const handle = methodIn(definition, method, implementation);
    return [method.name, methodPipeline({ contract: definition, method, unknownProperties, handle })] as const;
  });
  return rpcClient(contract, { calls: new LocalCalls(new Map(methods)), unknownProperties });
}
