import type { Forward } from '../delivery/forward.js';
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
      attempt.isOver = true;
      const outcome = value instanceof Verdict ? value.outcome : handled(attempt);
      return decided(attempt.lease, outcome instanceof Promise ? await outcome : outcome);
    } catch (thrown) {
      attempt.isOver = true;
      attempt.forwards?.drop();
      return decided(attempt.lease, outcomeOfFailure(policy, attempt.number, thrown));
    }
  };
}

/** The outcome of a handler that ended well. It takes what the handler forwarded, and rejects when that is not valid. */
export function handled({ forwards }: Pick<Attempt, 'forwards'>): Outcome | Promise<Outcome> {
  if (!forwards) return HANDLED;
  const taken = forwards.take();
  return taken instanceof Promise ? taken.then(withForwards) : withForwards(taken);
}

function withForwards(forwards: readonly Forward[]): Outcome {
  return forwards.length === 0 ? HANDLED : { kind: 'ack', forwards };
}

/** As {@link outcomes}, with the value of the handler, and a policy for each attempt. */
export function outcomesWithResults<A extends Attempt>(
  policyOf: (attempt: A) => RetryPolicy,
  next: Step<A>,
): Decide<A, OutcomeWithResult> {
  return async (attempt) => {
    try {
      const value = await next(attempt);
      attempt.isOver = true;
      const outcome: OutcomeWithResult = value instanceof Verdict ? value.outcome : { kind: 'ack', result: value };
      return decided(attempt.lease, outcome);
    } catch (thrown) {
      attempt.isOver = true;
      return decided(attempt.lease, outcomeOfFailure(policyOf(attempt), attempt.number, thrown));
    }
  };
}
