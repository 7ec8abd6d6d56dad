import {
  classText, isJob, isTopic, type JobDefinition, jobOf, MillraceError, orInACircle, replacedClassHint, type TopicDefinition,
  topicOf,
} from '@millrace/core';
import { checkEach } from '../config/problems.js';

export interface FeatureContracts {
  readonly topics: readonly TopicDefinition[];
  readonly jobs: readonly JobDefinition[];
}

/**
 * Sorts the contracts that `MillraceModule.forFeature` was given.
 *
 * @throws MillraceError NOT_A_TOPIC for a class that is neither a topic nor a job
 */
export function featureContracts(contracts: readonly unknown[]): FeatureContracts {
  checkEach('MillraceModule.forFeature was given classes that are no contracts.', contracts, assertContract);
  return { topics: contracts.filter(isTopic).map(topicOf), jobs: contracts.filter(isJob).map(jobOf) };
}

function assertContract(contract: unknown): void {
  if (isTopic(contract) || isJob(contract)) return;
  const what = `MillraceModule.forFeature: ${classText(contract)} is neither a topic nor a job`;
  const advice = orInACircle("put @Topic('its.name') or @Job('its-name', { queue: '...' }) on it.", contract);
  throw new MillraceError('NOT_A_TOPIC', `${what}: ${advice}${replacedClassHint(contract, (type) => isTopic(type) || isJob(type))}`);
}
