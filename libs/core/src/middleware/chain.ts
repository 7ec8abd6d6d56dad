/**
 * A handler, or one with steps around it. It gives what the handler returns, a {@link Verdict}, or a promise of either, and may
 * throw at once: a promise costs as much as validating a small payload, so steps make one only where there is something to wait
 * for.
 */
export type Step<A> = (attempt: A) => unknown;

/** Puts one policy around a step. */
export type Middleware<A> = (next: Step<A>) => Step<A>;

/** @param around the steps from the outermost to the innermost */
export function chain<A>(around: readonly Middleware<A>[], handler: Step<A>): Step<A> {
  return around.reduceRight((next, middleware) => middleware(next), handler);
}
