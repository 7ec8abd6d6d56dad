import type { PayloadClass } from '@millrace/core';
import { getMetadataStorage } from 'class-validator';
import type { FeatureContracts } from './feature-contracts.js';

/** Contracts whose payloads nobody checks, though they look as if they were: a class without one rule takes everything. */
export function rulelessContracts({ topics, jobs }: FeatureContracts): string[] {
  const classes = [
    ...[...new Set(topics)].flatMap(({ name, payload, types }) => {
      const typed = [...types.values()].map((type) => ({ what: `type '${type.name!}' of topic '${name}'`, payload: type.payload }));
      return typed.length > 0 ? typed : [{ what: `topic '${name}'`, payload }];
    }),
    ...[...new Set(jobs)].map(({ name, payload }) => ({ what: `job '${name}'`, payload })),
  ];
  return classes.filter(({ payload }) => !hasRules(payload)).map(({ what, payload }) => warningOf(what, payload));
}

function hasRules(type: PayloadClass): boolean {
  return getMetadataStorage().getTargetValidationMetadatas(type, '', false, false).length > 0;
}

function warningOf(what: string, { name }: PayloadClass): string {
  return (
    `${name}, the class of ${what}, has no rule of class-validator, so its payloads are not checked. Put a rule on each property, such as ` +
    '@IsString(), or @Allow() where anything goes. For a payload without properties there is nothing to do.'
  );
}
