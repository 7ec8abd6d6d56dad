import type { JobDefinition, PayloadClass, TopicDefinition } from '@millrace/core';
import { getMetadataStorage } from 'class-validator';
import type { FeatureContracts } from './feature-contracts.js';

/**
 * Contracts whose payloads nobody checks, though they look as if they were: a class without one rule takes everything. One that
 * says `unknownProperties: 'keep'` itself means it.
 */
export function rulelessContracts({ topics, jobs }: FeatureContracts): string[] {
  const ofTopics = [...new Set(topics)].filter(mayBeMistaken).flatMap(classesOfTopic);
  const ofJobs = [...new Set(jobs)].filter(mayBeMistaken).map(classOfJob);
  return [...ofTopics, ...ofJobs].filter(({ payload }) => !hasRules(payload)).map(warningOf);
}

interface ContractClass {
  readonly what: string;
  readonly payload: PayloadClass;
}

function mayBeMistaken({ unknownProperties }: TopicDefinition | JobDefinition): boolean {
  return unknownProperties !== 'keep';
}

/** A topic with types has the classes of those. */
function classesOfTopic({ name, payload, types }: TopicDefinition): ContractClass[] {
  if (types.size === 0) return [{ what: `topic '${name}'`, payload }];
  return [...types.values()].map((type) => ({ what: `type '${type.name!}' of topic '${name}'`, payload: type.payload }));
}

function classOfJob({ name, payload }: JobDefinition): ContractClass {
  return { what: `job '${name}'`, payload };
}

function hasRules(type: PayloadClass): boolean {
  return getMetadataStorage().getTargetValidationMetadatas(type, '', false, false).length > 0;
}

function warningOf({ what, payload: { name } }: ContractClass): string {
  return (
    `${name}, the class of ${what}, has no rule of class-validator, so its payloads are not checked. Put a rule on each property, such as ` +
    '@IsString(), or @Allow() where anything goes. For a payload without properties there is nothing to do.'
  );
}
