import { type Spans, traceWith } from '@millrace/core';
import { OpenTelemetrySpans, type TraceRelation } from './open-telemetry-spans.js';

export interface TracingOptions {
  /**
   * Whether the span of a handler is a child of the span that published its message, with a link to it as well (`parent`), or
   * begins a trace of its own and has the link alone (`link`). Batches and retries always begin their own. Default `parent`.
   */
  readonly relation?: TraceRelation;
}

/**
 * Puts publishes, enqueues, handlers and calls of this process into spans of OpenTelemetry, from now on: of the tracer provider
 * that the application has registered. Start it before the connections are made, so that the polling of Redis becomes no span.
 *
 * @returns a function that ends it
 * @throws Error when `@opentelemetry/api` is not installed
 */
export async function startTracing({ relation = 'parent' }: TracingOptions = {}): Promise<() => void> {
  return traceWith(new OpenTelemetrySpans(await openTelemetry(), relation) satisfies Spans);
}

async function openTelemetry(): Promise<typeof import('@opentelemetry/api')> {
  try {
    return await import('@opentelemetry/api');
  } catch (cause) {
    throw new Error('Tracing needs the package @opentelemetry/api, which could not be loaded: install it beside your SDK.', { cause });
  }
}
