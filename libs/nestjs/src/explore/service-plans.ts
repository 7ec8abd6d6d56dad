import { MillraceError } from '@millrace/core';
import type { ContractDefinition } from '@millrace/rpc';
import { type HandlerMethod } from './handler-method.js';
import { listed } from './listed.js';
import type { MethodPlan, ServicePlan } from './plan.js';
import { groupedBy } from './same-name.js';

/** The services whose methods an application implements. */
export function servicePlans(methods: readonly MethodPlan[]): ServicePlan[] {
  return [...groupedBy(methods, placeOf).values()].map((same) => {
    const [{ contract, options }] = same as [MethodPlan];
    return { contract, options, methods: new Map(same.map(({ method }) => [method.name, method])) };
  });
}

/** One service twice: calls would go to either of its implementations, or be written by one contract and read by another. */
export function serviceConflicts(methods: readonly MethodPlan[], contracts: readonly ContractDefinition[]): MillraceError[] {
  const implemented = [...groupedBy(methods, placeOf).values()].flatMap((same) => {
    const types = [...new Set(same.map(({ method }) => method.type))];
    return types.length > 1 ? [implementedTwice(same[0]!.contract, types)] : [];
  });
  const all = [...contracts, ...methods.map(({ contract }) => contract)];
  const declared = [...groupedBy(all, nameOf).values()].flatMap((same) => {
    const types = [...new Set(same.map(({ type }) => type))];
    return types.length > 1 ? [declaredTwice(same[0]!, types)] : [];
  });
  return [...implemented, ...declared];
}

function placeOf({ contract }: MethodPlan): string {
  return nameOf(contract);
}

function nameOf({ service, version }: ContractDefinition): string {
  return `${service}/${version}`;
}

function implementedTwice({ service, version }: ContractDefinition, types: readonly HandlerMethod['type'][]): MillraceError {
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `${listed(types.map(({ name }) => name))} both implement service '${service}' in version '${version}', so nobody could say which of them ` +
      'executes a call. Remove one, or give its contract another version.',
  );
}

function declaredTwice({ service, version }: ContractDefinition, types: readonly { readonly name: string }[]): MillraceError {
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `${listed(types.map(({ name }) => name))} are different classes with the same @RpcContract name '${service}' and version '${version}'. ` +
      'A contract is one class: give one of them another version, or import the same class everywhere.',
  );
}
