import type { Module } from '@nestjs/core/injector/module.js';
import { MillraceError } from '@millrace/core';
import { type FeatureClient, givenTwice } from '../rpc/feature-clients.js';
import { FEATURE_CLIENTS } from '../module/tokens.js';

type Importing = Pick<Module, 'name' | 'imports'>;

/** Modules that import two clients of one service, one with options at least: Nest would inject the first, and say nothing. */
export function clientConflicts(modules: Iterable<Importing>): MillraceError[] {
  return [...modules].flatMap(({ name, imports }) => {
    const clients = [...imports].flatMap(clientsOf);
    const second = clients.filter(({ contract }, index) => clients.findIndex((each) => each.contract === contract) < index);
    return second
      .filter(({ contract }) => clients.some((each) => each.contract === contract && each.options !== undefined))
      .map(({ contract }) => givenTwice(contract, name));
  });
}

function clientsOf({ providers }: Module): readonly FeatureClient[] {
  return (providers.get(FEATURE_CLIENTS)?.instance ?? []) as unknown as readonly FeatureClient[];
}
