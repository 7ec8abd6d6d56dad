import { Injectable } from '@nestjs/common';
import {
  type DefinedTopic, isTopic, MillraceError, type PayloadClass, type TopicDefinition, topicOf, unknownName,
} from '@millrace/core';
import type { ContractDefinition } from '@millrace/rpc';
import { FEATURE_CONTRACTS } from '../module/tokens.js';
import { featureContracts } from './feature-contracts.js';
import { HandlerFinder } from './handler-finder.js';

/** The topics, jobs and services that the modules of this application use (`MillraceModule.forFeature`), by name. */
@Injectable()
export class Contracts {
  readonly #finder: HandlerFinder;

  constructor(finder: HandlerFinder) {
    this.#finder = finder;
  }

  /**
   * A topic as `Publisher` takes it: its class or, with a type, that of its `@MessageType`; for one of `defineTopic` what that
   * returned.
   *
   * @throws MillraceError UNKNOWN_TOPIC, UNKNOWN_MESSAGE_TYPE, with the nearest known name
   */
  topic(name: string, type?: string): PayloadClass | DefinedTopic {
    const { topics } = this.#all();
    const topic = topics.find((candidate) => candidate.name === name) ?? unknown('topic', name, topics);
    if (type === undefined) return publishable(topic);
    return topic.types.get(type)?.payload ?? unknown('type', type, [...topic.types.values()]);
  }

  /** @throws MillraceError UNKNOWN_JOB, with the nearest known name */
  job(name: string): PayloadClass {
    const { jobs } = this.#all();
    return (jobs.find((candidate) => candidate.name === name) ?? unknown('job', name, jobs)).payload;
  }

  /** The topics that the modules publish. */
  topics(): readonly TopicDefinition[] {
    return this.#all().topics;
  }

  /** The contract of a service that the modules call; null for one that none of them calls. */
  service(name: string, version: string): ContractDefinition | null {
    return this.#all().services.find((contract) => contract.service === name && contract.version === version) ?? null;
  }

  #all(): ReturnType<typeof featureContracts> {
    const features = this.#finder.hosts().filter(({ token }) => token === FEATURE_CONTRACTS);
    return featureContracts(features.flatMap(({ instance }) => instance as unknown as readonly unknown[]));
  }
}

/** A class of a defined topic may be another topic, or none. */
function publishable(topic: TopicDefinition): PayloadClass | DefinedTopic {
  const { payload } = topic;
  return isTopic(payload) && topicOf(payload) === topic ? payload : (topic as DefinedTopic);
}

const CODES = { topic: 'UNKNOWN_TOPIC', type: 'UNKNOWN_MESSAGE_TYPE', job: 'UNKNOWN_JOB' } as const;

function unknown(kind: keyof typeof CODES, name: string, contracts: readonly { readonly name: string | null }[]): never {
  const known = contracts.flatMap((contract) => contract.name ?? []);
  throw new MillraceError(CODES[kind], unknownName(kind, name.slice(0, 128), known));
}
