import type { TraceHeaders } from './trace-context.js';

/** A piece of work that a tracer may put into a span. */
export interface SpanFacts {
  /**
   * `publish` and `enqueue` send, `process` handles, and `ack`, `retry` and `dead_letter` settle; a client calls, and a service
   * serves.
   */
  readonly operation: 'publish' | 'enqueue' | 'process' | 'ack' | 'retry' | 'dead_letter' | 'call' | 'serve';
  /** A topic, a queue, or a service. */
  readonly target: string;
  /** The name of a job, or of a method. */
  readonly detail?: string;
  readonly group?: string;
  readonly partition?: number;
  /** The id of the one message or job that is processed. */
  readonly messageId?: string;
  readonly attempt?: number;
  /** It is processed by the handler of dead letters. */
  readonly isDeadLetter?: boolean;
  /** The traces in which it was sent: one for each message of a batch. Absent for work that begins here. */
  readonly sentIn?: readonly TraceHeaders[];
}

/** A span of work that is done in several parts. */
export interface OpenSpan {
  /** Runs a part of the work in the context and in the trace of the span. */
  run<T>(work: () => T): T;
  /** Ends it, once. @param thrown what the work ends with; absent for a good end */
  end(thrown?: unknown): void;
}

/**
 * A tracer, as this library sees it. It runs work in its own context and in the trace of the span, so that what the work sends
 * carries that on; it gives what the work returns, and throws what it throws.
 */
export interface Spans {
  around<T>(facts: SpanFacts, work: () => T): T;
  /** Begins a span that its caller ends. Null: nobody wants it. */
  open(facts: SpanFacts): OpenSpan | null;
  /** Runs work that is of no interest to anybody, such as the polling of Redis: nothing in it becomes a span. */
  suppressed<T>(work: () => T): T;
}

let present: Spans | null = null;

/** The tracer of this process; null for none. */
export function presentSpans(): Spans | null {
  return present;
}

/** Has all work put into spans from now on, in place of an earlier tracer. @returns a function that ends that */
export function traceWith(spans: Spans): () => void {
  present = spans;
  return () => {
    if (present === spans) present = null;
  };
}
