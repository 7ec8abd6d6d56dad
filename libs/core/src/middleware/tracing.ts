import { inTrace, type TraceHeaders } from '../trace/trace-context.js';
import type { Middleware } from './chain.js';

/** Runs the rest in the trace that the headers carry: what the handler publishes, now or later, belongs to it. */
export function tracing<A>(headersOf: (attempt: A) => TraceHeaders): Middleware<A> {
  return (next) => (attempt) => inTrace(headersOf(attempt), next, attempt);
}
