import { decided } from '../delivery/lease.js';
import type { Outcome } from '../delivery/outcome.js';
import { outcomeOfFailure, type RetryPolicy } from '../delivery/retry.js';
import type { Attempt } from './attempt.js';
import type { Step } from './chain.js';
import { Verdict } from './verdict.js';

/** An outcome with the value that the handler returned. */
export type OutcomeWithResult = Outcome & { readonly result?: unknown };

/** Decides the outcome of an attempt. It never rejects. */
export type Decide<A, O extends Outcome = Outcome> = (attempt: A) => Promise<O>;

const HANDLED: Outcome = { kind: 'ack' };

/**
 * The outermost step: turns what the others return or throw into an outcome. An attempt whose lease was given up decides
 * nothing. The value of the handler is dropped.
 */
export function outcomes<A extends Attempt>(policy: RetryPolicy, next: Step<A>): Decide<A> {
  return async (attempt) => {
    try {
      const value = await next(attempt);
      return decided(attempt.lease, value instanceof Verdict ? value.outcome : HANDLED);
    } catch (thrown) {
      return decided(attempt.lease, outcomeOfFailure(policy, attempt.number, thrown));
    }
  };
}

/** As {@link outcomes}, with the value of the handler, and a policy for each attempt. */
export function outcomesWithResults<A extends Attempt>(
  policyOf: (attempt: A) => RetryPolicy,
  next: Step<A>,
): Decide<A, OutcomeWithResult> {
  return async (attempt) => {
    try {
      const value = await next(attempt);
      const outcome: OutcomeWithResult = value instanceof Verdict ? value.outcome : { kind: 'ack', result: value };
      return decided(attempt.lease, outcome);
    } catch (thrown) {
      return decided(attempt.lease, outcomeOfFailure(policyOf(attempt), attempt.number, thrown));
    }
  };
}
