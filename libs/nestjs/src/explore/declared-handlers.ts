import {
  type BatchRule, checkAll, checkEach, type DeadLetterBounds, durationMs, isMillraceError, jobOf, messageTypeOf, MillraceError,
  type Ordering, parseOptions, type RateLimit, type RetryPolicy, topicOfRef, type TopicRef,
} from '@millrace/core';
import { contractOf } from '@millrace/rpc';
import { DECORATORS } from '../declare/handler-declaration.js';
import { JobHandlerOptions } from '../jobs/job-handler-options.js';
import { breakerIn } from '../subscribe/breaker-options.js';
import { DeadLettersOptions } from '../subscribe/dead-letters-options.js';
import { FilterOptions } from '../subscribe/filter-options.js';
import { idempotencyIn } from '../subscribe/idempotency-options.js';
import { OnDeadLetterOptions } from '../subscribe/on-dead-letter.decorator.js';
import { PartitionListenerOptions } from '../subscribe/partition-listeners.decorator.js';
import { BatchOptions, SubscribeBatchOptions } from '../subscribe/subscribe-batch-options.js';
import { RpcServiceOptions } from '../rpc/rpc-service-options.js';
import { SubscribeBroadcastOptions } from '../subscribe/subscribe-broadcast-options.js';
import { RateLimitOptions, RetryOptions, RetryRuleOptions, SubscribeOptions } from '../subscribe/subscribe-options.js';
import type { FoundHandler } from './handler-finder.js';
import { type HandlerMethod, labelOf } from './handler-method.js';
import { assertNotLost } from './lost-handlers.js';
import { TransactionCheckOptions } from '../transactions/transaction-check.decorator.js';
import type { BroadcastPlan, CheckPlan, DeadLetterPlan, JobPlan, ListenerPlan, MethodPlan, SubscriptionPlan } from './plan.js';

export interface DeclaredHandlers {
  readonly subscriptions: readonly SubscriptionPlan[];
  readonly broadcasts: readonly BroadcastPlan[];
  readonly deadLetters: readonly DeadLetterPlan[];
  readonly listeners: readonly ListenerPlan[];
  readonly checks: readonly CheckPlan[];
  readonly jobs: readonly JobPlan[];
  /** The methods that implement services. */
  readonly methods: readonly MethodPlan[];
}

/**
 * Checks the decorators of each method.
 *
 * @throws MillraceError NOT_A_TOPIC, NOT_A_JOB, INVALID_OPTIONS: all mistakes of all handlers
 */
export function declaredHandlers(found: readonly FoundHandler[]): DeclaredHandlers {
  const plans = checkEach('Some handlers are not declared well.', found, planOf);
  const deadLetters = plans.flatMap((plan) => plan.deadLetters ?? []);
  const listeners = plans.flatMap((plan) => plan.listeners ?? []);
  return {
    subscriptions: plans.flatMap((plan) => plan.subscriptions ?? []).map((plan) => withMethods(plan, { deadLetters, listeners })),
    broadcasts: plans.flatMap((plan) => plan.broadcasts ?? []),
    deadLetters,
    listeners,
    checks: plans.flatMap((plan) => plan.checks ?? []),
    jobs: plans.flatMap((plan) => plan.jobs ?? []),
    methods: plans.flatMap((plan) => plan.methods ?? []),
  };
}

function planOf(handler: FoundHandler): Partial<DeclaredHandlers> {
  assertNotLost(handler);
  switch (handler.declaration.kind) {
    case 'rpc':
      return { methods: [serviceMethodOf(handler)] };
    case 'job':
      return { jobs: [jobHandlerOf(handler)] };
    case 'transaction-check':
      return { checks: [checkOf(handler)] };
    case 'on-dead-letter':
      return { deadLetters: [deadLettersOf(handler)] };
    case 'on-assigned':
    case 'on-revoked':
      return { listeners: [listenerOf(handler, handler.declaration.kind)] };
    case 'subscribe-broadcast':
      return { broadcasts: [broadcastOf(handler)] };
    default:
      return { subscriptions: [subscriptionOf(handler)] };
  }
}

/** A subscription with the other methods of its group. */
function withMethods(plan: SubscriptionPlan, { deadLetters, listeners }: Pick<DeclaredHandlers, 'deadLetters' | 'listeners'>): SubscriptionPlan {
  const methodAmong = (all: readonly (DeadLetterPlan | ListenerPlan)[]): HandlerMethod | null =>
    all.find(({ topic, group }) => topic.name === plan.topic.name && group === plan.group)?.method ?? null;
  return {
    ...plan,
    onDeadLetter: methodAmong(deadLetters),
    onAssigned: methodAmong(listeners.filter(({ kind }) => kind === 'on-assigned')),
    onRevoked: methodAmong(listeners.filter(({ kind }) => kind === 'on-revoked')),
  };
}

function listenerOf({ method, declaration }: FoundHandler, kind: ListenerPlan['kind']): ListenerPlan {
  const where = `${DECORATORS[kind]} on ${labelOf(method)}`;
  const { topic, options } = checkAll(`${where} is not declared well.`, {
    topic: () => named(where, () => topicOfRef(declaration.contract as TopicRef)),
    options: () => parseOptions(PartitionListenerOptions, declaration.options ?? {}, where),
  });
  return { kind, method, topic, group: options.group };
}

function deadLettersOf({ method, declaration }: FoundHandler): DeadLetterPlan {
  const where = `@OnDeadLetter on ${labelOf(method)}`;
  const { topic, options } = checkAll(`${where} is not declared well.`, {
    topic: () => named(where, () => topicOfRef(declaration.contract as TopicRef)),
    options: () => parseOptions(OnDeadLetterOptions, declaration.options ?? {}, where),
  });
  const { name: type } = messageTypeOf(declaration.contract as TopicRef);
  return { method, topic, type, group: options.group };
}

function checkOf({ method, declaration }: FoundHandler): CheckPlan {
  const where = `@TransactionCheck on ${labelOf(method)}`;
  const { topic, options } = checkAll(`${where} is not declared well.`, {
    topic: () => named(where, () => topicOfRef(declaration.contract as TopicRef)),
    options: () => parseOptions(TransactionCheckOptions, declaration.options ?? {}, where),
  });
  const { name: type } = messageTypeOf(declaration.contract as TopicRef);
  return { method, topic, type, concurrency: options.concurrency, timeoutMs: durationMs(options.timeout) };
}

function subscriptionOf({ method, declaration }: FoundHandler): SubscriptionPlan {
  const inBatches = declaration.kind === 'subscribe-batch';
  const where = `${DECORATORS[declaration.kind]} on ${labelOf(method)}`;
  const raw = (declaration.options ?? {}) as Partial<SubscribeBatchOptions>;
  const { topic, batch, ...checked } = checkAll(`${where} is not declared well.`, {
    topic: () => named(where, () => topicOfRef(declaration.contract as TopicRef)),
    ...subscriptionChecks(raw, where, inBatches ? SubscribeBatchOptions : SubscribeOptions),
    batch: () => (inBatches ? batchOf(raw.batch ?? {}, `${where}, batch`) : null),
  });
  const { name: type } = messageTypeOf(declaration.contract as TopicRef);
  const methods = { onDeadLetter: null, onAssigned: null, onRevoked: null };
  return { method, topic, type, batch, ...methods, ...subscriptionRules(raw, checked) };
}

/** The parts of a subscription's options, each with its check. */
// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- the checks tell their types
function subscriptionChecks(raw: Partial<SubscribeOptions>, where: string, type: new () => SubscribeOptions) {
  return {
    options: () => parseOptions<SubscribeOptions>(type, raw, where),
    retry: () => retryOf(raw.retry ?? {}, `${where}, retry`),
    filter: () => parseOptions(FilterOptions, raw.filter ?? {}, `${where}, filter`),
    rateLimit: () => (raw.rateLimit ? rateLimitOf(raw.rateLimit, `${where}, rateLimit`) : null),
    breaker: () => breakerIn(raw.breaker, `${where}, breaker`),
    deadLetters: () => deadLettersIn(raw.deadLetters ?? {}, `${where}, deadLetters`),
    idempotency: () => idempotencyIn(raw.idempotency, `${where}, idempotency`),
  };
}

type Checked<T> = { [K in keyof T]: T[K] extends () => infer Value ? Value : never };

/** The rules of a subscription that its options alone decide. */
export type SubscriptionRules = Omit<SubscriptionPlan, 'method' | 'topic' | 'type' | 'batch' | 'onDeadLetter' | 'onAssigned' | 'onRevoked'>;

function subscriptionRules(
  raw: Partial<SubscribeOptions>,
  { options, ...parts }: Checked<ReturnType<typeof subscriptionChecks>>,
): SubscriptionRules {
  const { group, concurrency, crashLimit, durability, inbox, start } = options;
  const timeoutMs = raw.timeout === undefined ? null : durationMs(raw.timeout);
  return { group, concurrency, crashLimit, durability, start, inbox, timeoutMs, ordering: orderingIn(raw), ...parts };
}

/** @throws MillraceError INVALID_OPTIONS with all mistakes */
export function parsedSubscription(raw: Partial<SubscribeOptions>, where: string): SubscriptionRules {
  return subscriptionRules(raw, checkAll(`${where} is not declared well.`, subscriptionChecks(raw, where, SubscribeOptions)));
}

function broadcastOf({ method, declaration }: FoundHandler): BroadcastPlan {
  const where = `@SubscribeBroadcast on ${labelOf(method)}`;
  const raw = (declaration.options ?? {}) as SubscribeBroadcastOptions;
  const { options, ...parts } = checkAll(`${where} is not declared well.`, {
    topic: () => named(where, () => topicOfRef(declaration.contract as TopicRef)),
    options: () => parseOptions(SubscribeBroadcastOptions, raw, where),
    retry: () => retryOf(raw.retry ?? {}, `${where}, retry`),
    filter: () => parseOptions(FilterOptions, raw.filter ?? {}, `${where}, filter`),
  });
  const timeoutMs = raw.timeout === undefined ? null : durationMs(raw.timeout);
  const { name: type } = messageTypeOf(declaration.contract as TopicRef);
  return { method, type, concurrency: options.concurrency, timeoutMs, ...parts };
}

function orderingIn({ ordering: by, onExhausted }: Pick<SubscribeOptions, 'ordering' | 'onExhausted'>): Ordering | null {
  return by ? { by, ...(onExhausted && { onExhausted }) } : null;
}

function deadLettersIn(raw: DeadLettersOptions, where: string): DeadLetterBounds {
  const { maxAge, ...bounds } = parseOptions(DeadLettersOptions, raw, where);
  return { ...bounds, maxAgeMs: durationMs(maxAge) };
}

function rateLimitOf(raw: RateLimitOptions, where: string): RateLimit {
  const { messages, per } = parseOptions(RateLimitOptions, raw, where);
  return { messages, perMs: durationMs(per) };
}

function batchOf(raw: BatchOptions, where: string): BatchRule {
  const { size, wait } = parseOptions(BatchOptions, raw, where);
  return { size, waitMs: durationMs(wait) };
}

function retryOf(raw: RetryOptions, where: string): RetryPolicy {
  const { unknownFor, ...policy } = parseOptions(RetryOptions, raw, where);
  const rules = policy.on.map((rule, index) => () => parseOptions(RetryRuleOptions, rule, `${where}.on[${index}]`));
  return { ...policy, unknownForMs: durationMs(unknownFor), on: checkEach(`${where} is not configured well.`, rules, (parse) => parse()) };
}

function jobHandlerOf({ method, declaration }: FoundHandler): JobPlan {
  const where = `@JobHandler on ${labelOf(method)}`;
  const raw = (declaration.options ?? {}) as JobHandlerOptions;
  const { job, options, idempotency } = checkAll(`${where} is not declared well.`, {
    job: () => named(where, () => jobOf(declaration.contract)),
    options: () => parseOptions<JobHandlerOptions>(JobHandlerOptions, raw, where),
    idempotency: () => idempotencyIn(raw.idempotency, `${where}, idempotency`),
  });
  const { timeout, concurrency, inbox } = options;
  return { method, job, concurrency, inbox, idempotency, timeoutMs: timeout === undefined ? null : durationMs(timeout) };
}

function serviceMethodOf({ method, declaration }: FoundHandler): MethodPlan {
  const where = `@RpcService on ${method.type.name}`;
  const options: RpcServiceOptions = parseOptions(RpcServiceOptions, declaration.options ?? {}, where);
  const { concurrency, weight, tags = [], metadata } = options;
  return { method, contract: contractOf(declaration.contract), options: { concurrency: concurrency!, weight, tags, metadata } };
}

/** Names the handler that has the mistake. */
export function named<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (!isMillraceError(thrown)) throw thrown;
    throw new MillraceError(thrown.code, `${where}: ${thrown.message}`, { cause: thrown });
  }
}
