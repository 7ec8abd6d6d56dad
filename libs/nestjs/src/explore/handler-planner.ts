import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { MillraceError, throwTogether } from '@millrace/core';
import { selectsGroup, selectsQueue, selectsService } from '../config/handler-selection.js';
import type { Settings } from '../config/settings.js';
import { assertEnhancersResolve } from '../enhance/resolvable-enhancers.js';
import { queueConfiguration, type QueueConfiguration } from '../jobs/feature-queues.js';
import { type ForeignQueue, foreignQueueConflicts, foreignQueues, foreignQueueWarning } from '../jobs/foreign-queues.js';
import { listenersAmong, processorsAmong } from '../jobs/processors.js';
import { FEATURE_CONTRACTS, SETTINGS } from '../module/tokens.js';
import { checkConflicts } from './check-conflicts.js';
import { clientConflicts } from './client-conflicts.js';
import { classConflicts, deadLetterConflicts, duplicateJobHandlers, duplicateSubscriptions, processorConflicts } from './contract-conflicts.js';
import { definitionConflicts } from './definition-conflicts.js';
import { type DeclaredHandlers, declaredHandlers } from './declared-handlers.js';
import { type FeatureContracts, featureContracts } from './feature-contracts.js';
import { filterTypeConflicts, filterUsesOf, uncheckedFilterTypes } from './filter-types.js';
import { HandlerFinder } from './handler-finder.js';
import { type HandlerMethod, labelOf } from './handler-method.js';
import { listenerConflicts } from './listener-conflicts.js';
import { keylessTopics } from './keyless-topics.js';
import type { HandlerPlan } from './plan.js';
import { serviceConflicts, servicePlans } from './service-plans.js';
import { rulelessContracts } from './ruleless-contracts.js';
import { secondInstances } from './second-instances.js';
import { unknownSelections } from './unknown-selection.js';

/** Plans the handlers that this process runs, from the whole application. */
@Injectable()
export class HandlerPlanner {
  readonly #finder: HandlerFinder;
  readonly #settings: Settings;
  readonly #queues: QueueConfiguration;
  readonly #modules: ModulesContainer;

  constructor(
    finder: HandlerFinder,
    @Inject(SETTINGS) settings: Settings,
    @Inject(queueConfiguration.provide) queues: QueueConfiguration,
    modules: ModulesContainer,
  ) {
    this.#finder = finder;
    this.#settings = settings;
    this.#queues = queues;
    this.#modules = modules;
  }

  /**
   * @throws MillraceError NOT_A_TOPIC, NOT_A_JOB, INVALID_OPTIONS, CONTRACT_CONFLICT, DUPLICATE_SUBSCRIPTION,
   *   DUPLICATE_JOB_HANDLER, UNKNOWN_GROUP, UNKNOWN_QUEUE, UNKNOWN_SERVICE, UNKNOWN_MESSAGE_TYPE, INBOX_NOT_CONFIGURED
   */
  plan(): HandlerPlan {
    const declared = declaredHandlers(this.#finder.find());
    const features = featureContracts(this.#featureContracts());
    const foreign = this.#foreignQueues(declared, features);
    throwTogether('The handlers of this application do not fit together.', this.#conflicts(declared, features, foreign));
    const { handlers } = this.#settings;
    const subscriptions = declared.subscriptions.filter(({ group }) => selectsGroup(handlers, group));
    const broadcasts = handlers === 'none' ? [] : declared.broadcasts;
    const checks = handlers === 'none' ? [] : declared.checks;
    const jobs = declared.jobs.filter(({ job }) => selectsQueue(handlers, job.queue));
    const services = servicePlans(declared.methods).filter(({ contract }) => selectsService(handlers, contract.service));
    this.#assertInbox([...subscriptions, ...jobs]);
    const hooks = subscriptions.flatMap(({ onDeadLetter }) => onDeadLetter ?? []);
    const methods = [...subscriptions, ...broadcasts, ...checks, ...jobs].map(({ method }) => method);
    const served = services.flatMap((plan) => [...plan.methods.values()]);
    for (const method of [...methods, ...served, ...hooks]) assertEnhancersResolve(method);
    return {
      subscriptions,
      broadcasts,
      checks,
      jobs,
      services,
      called: features.services,
      elsewhere: {
        subscriptions: declared.subscriptions.filter((plan) => !subscriptions.includes(plan)),
        jobs: declared.jobs.filter((plan) => !jobs.includes(plan)),
      },
      topics: [...new Set([...features.topics, ...[...subscriptions, ...broadcasts, ...checks].map(({ topic }) => topic)])],
      warnings: [
        ...this.#warnings({ subscriptions, broadcasts, jobs }, served),
        ...rulelessContracts(this.#contracts(declared, features)),
        ...foreign.map(foreignQueueWarning),
      ],
    };
  }

  #warnings(
    { subscriptions, broadcasts, jobs }: Pick<HandlerPlan, 'subscriptions' | 'broadcasts' | 'jobs'>,
    served: readonly HandlerMethod[],
  ): string[] {
    return [
      ...uncheckedFilterTypes(filterUsesOf([...subscriptions, ...broadcasts])),
      ...keylessTopics(subscriptions),
      ...secondInstances(this.#finder.instances(), [...[...subscriptions, ...jobs].map(({ method }) => method), ...served]),
    ];
  }

  #featureContracts(): unknown[] {
    const features = this.#finder.hosts().filter(({ token }) => token === FEATURE_CONTRACTS);
    return features.flatMap(({ instance }) => instance as unknown as readonly unknown[]);
  }

  /** Those of handlers and of features, some twice. */
  #contracts(declared: DeclaredHandlers, features: FeatureContracts): FeatureContracts {
    const { subscriptions, broadcasts, deadLetters, listeners, checks } = declared;
    const ofTopics = [...subscriptions, ...broadcasts, ...deadLetters, ...listeners, ...checks];
    return {
      topics: [...ofTopics.map(({ topic }) => topic), ...features.topics],
      jobs: [...declared.jobs.map(({ job }) => job), ...features.jobs],
      services: [...declared.methods.map(({ contract }) => contract), ...features.services],
    };
  }

  #foreignQueues(declared: DeclaredHandlers, features: FeatureContracts): ForeignQueue[] {
    const names = this.#contracts(declared, features).jobs.map(({ queue }) => queue);
    return foreignQueues(names, this.#finder.hosts(), this.#queues);
  }

  #conflicts(declared: DeclaredHandlers, features: FeatureContracts, foreign: readonly ForeignQueue[]): MillraceError[] {
    const hosts = this.#finder.hosts();
    const processors = processorsAmong(hosts);
    const { topics, jobs, services } = this.#contracts(declared, features);
    return [
      ...classConflicts('topic', topics),
      ...definitionConflicts(topics),
      ...classConflicts('job', jobs),
      ...duplicateSubscriptions(declared.subscriptions),
      ...deadLetterConflicts(declared.deadLetters, declared.subscriptions),
      ...listenerConflicts(declared.listeners, declared.subscriptions),
      ...checkConflicts(declared.checks),
      ...filterTypeConflicts(filterUsesOf([...declared.subscriptions, ...declared.broadcasts])),
      ...duplicateJobHandlers(declared.jobs),
      ...serviceConflicts(declared.methods, services),
      ...clientConflicts(this.#modules.values()),
      ...processorConflicts(declared.jobs, processors),
      ...foreignQueueConflicts(foreign, [...processors, ...listenersAmong(hosts)]),
      ...unknownSelections(this.#settings.handlers, declared),
    ];
  }

  #assertInbox(plans: readonly (Pick<HandlerPlan['subscriptions'][number], 'method' | 'inbox'>)[]): void {
    const [first] = plans.filter(({ inbox }) => inbox);
    if (!first || this.#settings.databaseUrl !== null || this.#settings.databaseSource !== null) return;
    throw new MillraceError(
      'INBOX_NOT_CONFIGURED',
      `${labelOf(first.method)} has inbox: true, but no database is named: set DATABASE_URL, or give MillraceModule the option database.`,
    );
  }
}
