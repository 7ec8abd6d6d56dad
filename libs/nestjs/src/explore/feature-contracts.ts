import {
  checkEach, classText, isJob, isTopic, isTopicRef, type JobDefinition, jobOf, MillraceError, orInACircle, replacedClassHint,
  type TopicDefinition, topicOfRef,
} from '@millrace/core';
import { type ContractDefinition, contractOf, isContract } from '@millrace/rpc';
import { contractIn } from '../rpc/feature-clients.js';

export interface FeatureContracts {
  readonly topics: readonly TopicDefinition[];
  readonly jobs: readonly JobDefinition[];
  /** The contracts of services that it calls. */
  readonly services: readonly ContractDefinition[];
}

/**
 * Sorts the contracts that `MillraceModule.forFeature` was given.
 *
 * @throws MillraceError NOT_A_TOPIC for one that is neither a topic nor a job nor the contract of a service
 */
export function featureContracts(entries: readonly unknown[]): FeatureContracts {
  const contracts = entries.map(contractIn);
  checkEach('MillraceModule.forFeature was given classes that are no contracts.', contracts, assertContract);
  return {
    topics: contracts.filter(isTopicRef).map(topicOfRef),
    jobs: contracts.filter(isJob).map(jobOf),
    services: contracts.filter(isContract).map(contractOf),
  };
}

function assertContract(contract: unknown): void {
  if (isTopicRef(contract) || isAnyClass(contract)) return;
  const what = `MillraceModule.forFeature: ${classText(contract)} is neither a topic nor a job nor the contract of a service`;
  const advice = orInACircle(
    "put @Topic('its.name'), @Job('its-name', { queue: '...' }) or @RpcContract('its-name', { ... }) on it, or give what " +
      "defineTopic('its.name') returns.",
    contract,
  );
  throw new MillraceError('NOT_A_TOPIC', `${what}: ${advice}${replacedClassHint(contract, isAnyClass)}`);
}

function isAnyClass(type: unknown): boolean {
  return isTopic(type) || isJob(type) || isContract(type);
}
