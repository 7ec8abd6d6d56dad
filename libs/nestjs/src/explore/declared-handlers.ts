import { jobOf, isMillraceError, MillraceError, parseOptions, topicOf } from '@millrace/core';
import { checkAll, checkEach } from '../config/findings.js';
import { JobHandlerOptions } from '../jobs/job-handler-options.js';
import { RetryOptions, SubscribeOptions } from '../subscribe/subscribe-options.js';
import type { FoundHandler } from './handler-finder.js';
import { labelOf } from './handler-method.js';
import type { JobPlan, SubscriptionPlan } from './plan.js';

export interface DeclaredHandlers {
  readonly subscriptions: readonly SubscriptionPlan[];
  readonly jobs: readonly JobPlan[];
}

/**
 * Checks what was written on each method.
 *
 * @throws MillraceError NOT_A_TOPIC, NOT_A_JOB, INVALID_OPTIONS: all mistakes of all handlers
 */
export function declaredHandlers(found: readonly FoundHandler[]): DeclaredHandlers {
  const plans = checkEach('Some handlers are not declared well.', found, (handler) =>
    handler.declaration.kind === 'subscribe' ? { subscriptions: [subscriptionOf(handler)], jobs: [] } : { subscriptions: [], jobs: [jobHandlerOf(handler)] },
  );
  return { subscriptions: plans.flatMap(({ subscriptions }) => subscriptions), jobs: plans.flatMap(({ jobs }) => jobs) };
}

function subscriptionOf({ method, declaration }: FoundHandler): SubscriptionPlan {
  const where = `@Subscribe on ${labelOf(method)}`;
  const raw = (declaration.options ?? {}) as Partial<SubscribeOptions>;
  const { topic, options, retry } = checkAll(`${where} is not declared well.`, {
    topic: () => named(where, () => topicOf(declaration.contract)),
    options: () => parseOptions(SubscribeOptions, raw, where),
    retry: () => parseOptions(RetryOptions, raw.retry ?? {}, `${where}, retry`),
  });
  const { group, concurrency, crashLimit, inbox } = options;
  return { method, topic, group, concurrency, crashLimit, inbox, retry };
}

function jobHandlerOf({ method, declaration }: FoundHandler): JobPlan {
  const where = `@JobHandler on ${labelOf(method)}`;
  const { job, options } = checkAll(`${where} is not declared well.`, {
    job: () => named(where, () => jobOf(declaration.contract)),
    options: () => parseOptions(JobHandlerOptions, declaration.options ?? {}, where),
  });
  return { method, job, ...options };
}

/** Says whose mistake it is. */
export function named<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (!isMillraceError(thrown)) throw thrown;
    throw new MillraceError(thrown.code, `${where}: ${thrown.message}`, { cause: thrown });
  }
}
