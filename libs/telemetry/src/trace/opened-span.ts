import { Discard, type OpenSpan, type TraceContext, withTraceContext } from '@millrace/core';
import type { Context, Span } from '@opentelemetry/api';
import { ERROR_TYPE } from './semantic-conventions.js';

export interface OpenedParts {
  readonly api: typeof import('@opentelemetry/api');
  readonly span: Span;
  /** The span is the present one in it. */
  readonly context: Context;
  /** The trace that headers carry on; empty for none. */
  readonly trace: Partial<TraceContext>;
}

/** A span of OpenTelemetry until it has ended. */
export class OpenedSpan implements OpenSpan {
  readonly #parts: OpenedParts;
  #hasEnded = false;

  constructor(parts: OpenedParts) {
    this.#parts = parts;
  }

  run<T>(work: () => T): T {
    const { api, context, trace } = this.#parts;
    return withTraceContext(trace, () => api.context.with(context, work));
  }

  /** The text of an error may hold parts of a payload: its type is told alone. */
  end(thrown?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { api, span } = this.#parts;
    if (thrown !== undefined && !(thrown instanceof Discard)) {
      span.setAttribute(ERROR_TYPE, typeOf(thrown));
      span.setStatus({ code: api.SpanStatusCode.ERROR });
    }
    span.end();
  }
}

function typeOf(thrown: unknown): string {
  const { code, name } = (thrown ?? {}) as { code?: unknown; name?: unknown };
  return [code, name].find((each): each is string => typeof each === 'string') ?? '_OTHER';
}
