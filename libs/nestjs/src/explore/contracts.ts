import { Injectable } from '@nestjs/common';
import { MillraceError, type PayloadClass, unknownName } from '@millrace/core';
import { FEATURE_CONTRACTS } from '../module/tokens.js';
import { featureContracts } from './feature-contracts.js';
import { HandlerFinder } from './handler-finder.js';

interface Named {
  readonly name: string;
  readonly payload: PayloadClass;
}

/** The topics and jobs that the modules of this application publish and enqueue (`MillraceModule.forFeature`), by name. */
@Injectable()
export class Contracts {
  readonly #finder: HandlerFinder;

  constructor(finder: HandlerFinder) {
    this.#finder = finder;
  }

  /** @throws MillraceError UNKNOWN_TOPIC, with the nearest known name */
  topic(name: string): PayloadClass {
    return found(name, this.#all().topics) ?? unknown('topic', name, this.#all().topics);
  }

  /** @throws MillraceError UNKNOWN_JOB, with the nearest known name */
  job(name: string): PayloadClass {
    return found(name, this.#all().jobs) ?? unknown('job', name, this.#all().jobs);
  }

  #all(): ReturnType<typeof featureContracts> {
    const features = this.#finder.hosts().filter(({ token }) => token === FEATURE_CONTRACTS);
    return featureContracts(features.flatMap(({ instance }) => instance as unknown as readonly PayloadClass[]));
  }
}

function found(name: string, contracts: readonly Named[]): PayloadClass | undefined {
  return contracts.find((contract) => contract.name === name)?.payload;
}

function unknown(kind: 'topic' | 'job', name: string, contracts: readonly Named[]): never {
  const code = kind === 'topic' ? 'UNKNOWN_TOPIC' : 'UNKNOWN_JOB';
  throw new MillraceError(code, unknownName(kind, name.slice(0, 128), contracts.map((contract) => contract.name)));
}
