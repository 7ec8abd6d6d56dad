import { presentSpans, type SpanFacts } from '../trace/spans.js';
import { inTrace, type TraceHeaders } from '../trace/trace-context.js';
import type { Middleware } from './chain.js';

/**
 * Runs the rest in the trace that the headers carry, or in a span of it: what the handler publishes, now or later, belongs to it.
 *
 * @param factsOf tells a tracer of the attempt; absent for work that is no span
 */
export function tracing<A>(headersOf: (attempt: A) => TraceHeaders, factsOf?: (attempt: A) => SpanFacts): Middleware<A> {
  if (!factsOf) return (next) => (attempt) => inTrace(headersOf(attempt), next, attempt);
  return (next) => (attempt) => {
    const spans = presentSpans();
    if (spans === null) return inTrace(headersOf(attempt), next, attempt);
    return spans.around({ ...factsOf(attempt), sentIn: [headersOf(attempt)] }, () => next(attempt));
  };
}
