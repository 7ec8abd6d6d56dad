import { currentTrace, Discard, type SpanFacts, type Spans, type TraceContext, traceOf, withTraceContext } from '@millrace/core';
import type { Context, Link, Span, SpanContext, SpanKind, Tracer } from '@opentelemetry/api';
import { ERROR_TYPE } from './semantic-conventions.js';
import { shapeOf } from './span-shape.js';

/** How the span of a handler stands to the one that published its message. */
export type TraceRelation = 'parent' | 'link';

type Api = typeof import('@opentelemetry/api');

/** The SDK and the instrumentations of OpenTelemetry know contexts by this key in which nothing becomes a span. */
const SUPPRESSED = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

const SENDS: ReadonlySet<SpanFacts['operation']> = new Set(['publish', 'enqueue', 'call']);

/** Spans of OpenTelemetry. The trace of a span becomes that of this library, so that headers carry it on. */
export class OpenTelemetrySpans implements Spans {
  readonly #api: Api;
  readonly #relation: TraceRelation;

  constructor(api: Api, relation: TraceRelation) {
    this.#api = api;
    this.#relation = relation;
  }

  around<T>(facts: SpanFacts, work: () => T): T {
    const { context, span } = this.#begun(facts);
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const flags = traceFlags.toString(16).padStart(2, '0');
    const trace = { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() ?? null };
    const within = (): T => this.#api.context.with(context, work);
    try {
      // Without an SDK there is a span in name only, whose trace is none: that of the headers goes on then.
      const result = withTraceContext(this.#api.isSpanContextValid(span.spanContext()) ? trace : this.#carried(facts), within);
      return result instanceof Promise ? (this.#settled(span, result as Promise<unknown>) as T) : this.#ended(span, result);
    } catch (thrown) {
      throw this.#failed(span, thrown);
    }
  }

  suppressed<T>(work: () => T): T {
    const { context, ROOT_CONTEXT } = this.#api;
    return context.with(ROOT_CONTEXT.setValue(SUPPRESSED, true), work);
  }

  /** Looked up for each span: a provider may be registered later. */
  get #tracer(): Tracer {
    return this.#api.trace.getTracer('millrace');
  }

  #begun(facts: SpanFacts): { readonly context: Context; readonly span: Span } {
    const { trace } = this.#api;
    const sent = (facts.sentIn ?? []).map(traceOf).filter((one) => one !== null).map((one) => this.#spanContextOf(one));
    const base = SENDS.has(facts.operation) ? this.#present() : this.#baseOf(facts, sent);
    const links: Link[] = facts.operation === 'process' ? sent.map((context) => ({ context })) : [];
    const { name, attributes } = shapeOf(facts);
    const span = this.#tracer.startSpan(name, { kind: this.#kindOf(facts), attributes, links }, base);
    return { span, context: trace.setSpan(base, span) };
  }

  /** The context of the caller; where that has no span, the trace that this library carries. */
  #present(): Context {
    const { context, trace } = this.#api;
    const active = context.active();
    const carried = currentTrace();
    if (trace.getSpanContext(active) !== undefined || carried === null) return active;
    return trace.setSpanContext(active, this.#spanContextOf(carried));
  }

  /** Handlers begin apart from the context of the loop that has read their message. */
  #baseOf({ operation, attempt = 1 }: SpanFacts, sent: readonly SpanContext[]): Context {
    const { ROOT_CONTEXT, trace } = this.#api;
    const [parent] = sent;
    const isChild = operation === 'serve' || (this.#relation === 'parent' && attempt === 1 && sent.length === 1);
    return parent && isChild ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
  }

  #carried({ sentIn = [] }: SpanFacts): Partial<TraceContext> {
    const carried = sentIn.length === 1 ? traceOf(sentIn[0]!) : currentTrace();
    return carried ?? {};
  }

  #kindOf({ operation }: SpanFacts): SpanKind {
    const { SpanKind: kinds } = this.#api;
    if (operation === 'process') return kinds.CONSUMER;
    if (operation === 'serve') return kinds.SERVER;
    return operation === 'call' ? kinds.CLIENT : kinds.PRODUCER;
  }

  #spanContextOf({ traceparent, tracestate }: TraceContext): SpanContext {
    const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
    const traceState = tracestate === null ? undefined : this.#api.createTraceState(tracestate);
    return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true, traceState };
  }

  async #settled(span: Span, result: Promise<unknown>): Promise<unknown> {
    try {
      return this.#ended(span, await result);
    } catch (thrown) {
      throw this.#failed(span, thrown);
    }
  }

  #ended<T>(span: Span, result: T): T {
    span.end();
    return result;
  }

  /** The text of an error may hold parts of a payload: its type is told alone. */
  #failed(span: Span, thrown: unknown): unknown {
    if (thrown instanceof Discard) return this.#ended(span, thrown);
    const { code, name } = thrown as { code?: unknown; name?: unknown };
    const type = [code, name].find((each): each is string => typeof each === 'string') ?? '_OTHER';
    span.setAttribute(ERROR_TYPE, type);
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
    span.end();
    return thrown;
  }
}
