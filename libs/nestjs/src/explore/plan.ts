import type { JobDefinition, RetryPolicy, TopicDefinition } from '@millrace/core';
import type { HandlerMethod } from './handler-method.js';

/** A subscription as it will be started. */
export interface SubscriptionPlan {
  readonly method: HandlerMethod;
  readonly topic: TopicDefinition;
  readonly group: string;
  readonly concurrency: number;
  readonly retry: RetryPolicy;
  readonly crashLimit: number;
  readonly inbox: boolean;
}

/** A handler of one job. */
export interface JobPlan {
  readonly method: HandlerMethod;
  readonly job: JobDefinition;
  readonly concurrency: number;
  readonly inbox: boolean;
}

/** What an application declares, and what this process runs of it. */
export interface HandlerPlan {
  /** What this process runs. */
  readonly subscriptions: readonly SubscriptionPlan[];
  readonly jobs: readonly JobPlan[];
  /** What must exist before anything is published or consumed here. */
  readonly topics: readonly TopicDefinition[];
  /** What this process enqueues to. */
  readonly queues: readonly string[];
}
