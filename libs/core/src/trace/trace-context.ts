import { AsyncLocalStorage } from 'node:async_hooks';

/** The trace that something belongs to, as W3C Trace Context writes it. */
export interface TraceContext {
  /** `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`, neither id all zero. */
  readonly traceparent: string;
  /** The additions of vendors: 1 to 512 visible characters; null for none. */
  readonly tracestate: string | null;
  /** Values that travel with it, as W3C Baggage writes them: 1 to 8,192 visible characters; absent for none. */
  readonly baggage?: string;
}

/** Headers that may carry a trace. */
export type TraceHeaders = Readonly<Record<string, string | null | undefined>>;

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;
const BAGGAGE = /^[\x20-\x7e]{1,8192}$/;

const current = new AsyncLocalStorage<TraceContext | null>();

/** The trace that headers carry; null when they carry none, or one that is not valid. */
export function traceOf({ traceparent, tracestate, baggage }: TraceHeaders): TraceContext | null {
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return null;
  const trace = { traceparent, tracestate: typeof tracestate === 'string' && TRACESTATE.test(tracestate) ? tracestate : null };
  return typeof baggage === 'string' && BAGGAGE.test(baggage) ? { ...trace, baggage } : trace;
}

/** The id of the trace in these headers, 32 hex digits; undefined without one. */
export function traceIdOf(headers: TraceHeaders): string | undefined {
  return traceOf(headers)?.traceparent.slice(3, 35);
}

/** The trace that this code runs in; null when it runs in none. */
export function currentTrace(): TraceContext | null {
  return current.getStore() ?? null;
}

/** Runs `work` in the trace of these headers, or in none: what it publishes, now or later, carries that on. */
export function inTrace<A, T>(headers: TraceHeaders, work: (argument: A) => T, argument: A): T {
  const trace = traceOf(headers);
  // From its first use on, async storage slows every promise of the process, by a third for a message: only a trace needs it.
  if (trace === null && currentTrace() === null) return work(argument);
  return current.run(trace, work, argument);
}

interface GivenTrace {
  readonly traceparent?: string;
  readonly tracestate?: string | null;
  readonly baggage?: string | null;
}

/**
 * Carries a trace on from elsewhere, such as an HTTP request: what `work` publishes gets its headers. One that is not
 * there, or not valid, is not carried.
 */
export function withTraceContext<T>({ traceparent, tracestate, baggage }: GivenTrace, work: () => T): T {
  return inTrace({ traceparent, tracestate, baggage }, work, undefined);
}

/** Headers with those of the present trace, where they have none of their own and there is room for `most`. */
export function withTraceHeaders(headers: Readonly<Record<string, string>>, most: number): Record<string, string> {
  const trace = currentTrace();
  if (trace === null || 'traceparent' in headers || Object.keys(headers).length + 2 > most) return { ...headers };
  const { tracestate: _own, ...rest } = headers;
  const { traceparent, tracestate, baggage } = trace;
  const own = { ...rest, traceparent, ...(tracestate === null ? {} : { tracestate }) };
  // Baggage of its own stays, and it is the first to be left where there is no room.
  return baggage === undefined || 'baggage' in rest || Object.keys(own).length >= most ? own : { ...own, baggage };
}
