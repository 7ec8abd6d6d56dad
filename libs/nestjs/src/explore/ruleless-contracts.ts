import type { JobDefinition, PayloadClass, TopicDefinition } from '@millrace/core';
import type { ContractDefinition } from '@millrace/rpc';
import { getMetadataStorage } from 'class-validator';
import type { FeatureContracts } from './feature-contracts.js';

/**
 * Contracts whose payloads nobody checks, though they look as if they were: a class without one rule takes everything. One that
 * says `unknownProperties: 'keep'` itself means it.
 */
export function rulelessContracts({ topics, jobs, services }: FeatureContracts): string[] {
  const ofTopics = [...new Set(topics)].filter(mayBeMistaken).flatMap(classesOfTopic);
  const ofJobs = [...new Set(jobs)].filter(mayBeMistaken).map(classOfJob);
  const ofServices = [...new Set(services)].filter(mayBeMistaken).flatMap(classesOfService);
  return [...ofTopics, ...ofJobs, ...ofServices].filter(({ payload }) => !hasRules(payload)).map(warningOf);
}

interface ContractClass {
  readonly what: string;
  readonly payload: PayloadClass;
}

function mayBeMistaken({ unknownProperties }: TopicDefinition | JobDefinition | ContractDefinition): boolean {
  return unknownProperties !== 'keep';
}

/** A topic with types has the classes of those, and one of any JSON value says so by having none. */
function classesOfTopic({ name, payload, types }: TopicDefinition): ContractClass[] {
  if (payload === null) return [];
  if (types.size === 0) return [{ what: `topic '${name}'`, payload }];
  return [...types.values()].map((type) => ({ what: `type '${type.name!}' of topic '${name}'`, payload: type.payload }));
}

function classOfJob({ name, payload }: JobDefinition): ContractClass {
  return { what: `job '${name}'`, payload };
}

function classesOfService({ service, methods }: ContractDefinition): ContractClass[] {
  return [...methods.values()].flatMap(({ name, input, output }) => [
    ...(input ? [{ what: `requests of ${service}.${name}()`, payload: input }] : []),
    ...(output ? [{ what: `answers of ${service}.${name}()`, payload: output }] : []),
  ]);
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
