import type { BatchRule, BreakerRule, DeadLetterBounds, Durability, JobDefinition, MessageFilter, Ordering, Position, RateLimit, RetryPolicy, TopicDefinition } from '@millrace/core';
import type { ContractDefinition } from '@millrace/rpc';
import type { IdempotencyRule } from '../subscribe/idempotency-options.js';
import type { HandlerMethod } from './handler-method.js';

/** A subscription as it will be started. */
export interface SubscriptionPlan {
  readonly method: HandlerMethod;
  readonly topic: TopicDefinition;
  readonly group: string;
  readonly concurrency: number;
  readonly retry: RetryPolicy;
  readonly crashLimit: number;
  /** How safe an outcome is before it counts. */
  readonly durability: Durability;
  readonly start: Position;
  /** How long an attempt may take; null for as long as it likes. */
  readonly timeoutMs: number | null;
  readonly inbox: boolean;
  /** Null: messages may be handled twice. */
  readonly idempotency: IdempotencyRule | null;
  /** The one type of message that it is for; null for all of the topic. */
  readonly type: string | null;
  /** The filter of its messages. */
  readonly filter: MessageFilter;
  /** How many dead letters are kept, a partition. */
  readonly deadLetters: DeadLetterBounds;
  /** The handler of its dead letters. */
  readonly onDeadLetter: HandlerMethod | null;
  /** Null: as fast as the handlers are. */
  readonly rateLimit: RateLimit | null;
  /** Null: it goes on, however often its handler fails. */
  readonly breaker: BreakerRule | null;
  /** Null: each message alone. */
  readonly batch: BatchRule | null;
  /** Null: no order. */
  readonly ordering: Ordering | null;
  /** The methods that hear of its partitions. */
  readonly onAssigned: HandlerMethod | null;
  readonly onRevoked: HandlerMethod | null;
}

/** A handler that every process has for itself. */
export type BroadcastPlan = Pick<SubscriptionPlan, 'method' | 'topic' | 'type' | 'concurrency' | 'retry' | 'timeoutMs' | 'filter'>;

/** A handler of the dead letters of a subscription. */
export interface DeadLetterPlan {
  readonly method: HandlerMethod;
  readonly topic: TopicDefinition;
  /** The one type of message that the method takes; null for all of the topic. */
  readonly type: string | null;
  readonly group: string;
}

/** A method that hears of the partitions of a subscription. */
export interface ListenerPlan {
  readonly kind: 'on-assigned' | 'on-revoked';
  readonly method: HandlerMethod;
  readonly topic: TopicDefinition;
  readonly group: string;
}

/** A method that answers how the transactions of half messages ended. */
export interface CheckPlan {
  readonly method: HandlerMethod;
  readonly topic: TopicDefinition;
  /** The one type of message that it names; null for all of the topic. */
  readonly type: string | null;
  readonly concurrency: number;
  readonly timeoutMs: number;
}

/** A handler of one job. */
export interface JobPlan {
  readonly method: HandlerMethod;
  readonly job: JobDefinition;
  readonly concurrency: number;
  /** How long an attempt may take; null for as long as it likes. */
  readonly timeoutMs: number | null;
  readonly inbox: boolean;
  /** Null: jobs may be handled twice. */
  readonly idempotency: IdempotencyRule | null;
}

/** The implementation of one method of a contract. */
export interface MethodPlan {
  readonly method: HandlerMethod;
  readonly contract: ContractDefinition;
  readonly options: ServiceRules;
}

/** The options of a service. */
export interface ServiceRules {
  /** Calls at once. */
  readonly concurrency: number;
  readonly weight: number | undefined;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** A service that this process runs. */
export interface ServicePlan {
  readonly contract: ContractDefinition;
  readonly options: ServiceRules;
  /** By the name of the method in the contract; all of them. */
  readonly methods: ReadonlyMap<string, HandlerMethod>;
}

/** The handlers that an application declares, and those that this process runs. */
export interface HandlerPlan {
  /** Those that this process runs. */
  readonly subscriptions: readonly SubscriptionPlan[];
  readonly broadcasts: readonly BroadcastPlan[];
  readonly checks: readonly CheckPlan[];
  readonly jobs: readonly JobPlan[];
  readonly services: readonly ServicePlan[];
  /** The contracts of services that its modules ask for clients of. */
  readonly called: readonly ContractDefinition[];
  /** Declared here and left to other processes. */
  readonly elsewhere: Pick<HandlerPlan, 'subscriptions' | 'jobs'>;
  /** The topics that must exist before anything is published or consumed here. */
  readonly topics: readonly TopicDefinition[];
  /** Warnings about possible mistakes; each is logged once. */
  readonly warnings: readonly string[];
}
