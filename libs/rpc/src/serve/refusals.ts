import { MillraceError, quote } from '@millrace/core';
import { RpcIndefiniteError } from '../errors.js';
import type { RpcRequest } from './service-definition.js';

export function mayHaveRun(method: string): RpcIndefiniteError {
  return new RpcIndefiniteError(
    `An instance that is gone may have executed ${quote(method)}, and it is not executed again. Find out whether its effect is there.`,
  );
}

/** The classes of both sides differ: one has the method as a stream. */
export function otherForm({ service, version, method }: RpcRequest, isStreamed: boolean): MillraceError {
  const [is, asked] = isStreamed ? ['one answer', 'a stream'] : ['a stream', 'one answer'];
  return new MillraceError(
    'UNKNOWN_METHOD',
    `Method ${quote(method)} of service '${service}' ${version} gives ${is}, and was called for ${asked}: use the contract of the service.`,
  );
}

export function unknownMethod({ service, version, method }: RpcRequest): MillraceError {
  return new MillraceError(
    'UNKNOWN_METHOD',
    `Service '${service}' ${version} has no method ${quote(method)}: call one that it has, or a version that has it.`,
  );
}
