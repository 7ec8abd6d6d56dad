import { type Spans, traceWith } from '@millrace/core';
import { OpenTelemetrySpans, type TraceRelation } from './open-telemetry-spans.js';
import type { ServerAddress } from './semantic-conventions.js';

export interface TracingOptions {
  /**
   * Whether the span of a handler is a child of the span that published its message, with a link to it as well (`parent`), or
   * begins a trace of its own and has the link alone (`link`). Batches and retries always begin their own. Default `parent`.
   */
  readonly relation?: TraceRelation;
  /** Whether messages that are acknowledged have a span of that, as those that are retried or given up have. Default false. */
  readonly acks?: boolean;
  /** The server of the messages, for the attributes `server.address` and `server.port`. Default: they are absent. */
  readonly server?: ServerAddress | null;
}

/**
 * Puts publishes, enqueues, handlers and calls of this process into spans of OpenTelemetry, from now on: of the tracer provider
 * that the application has registered. Start it before the connections are made, so that the polling of Redis becomes no span.
 *
 * @returns a function that ends it
 * @throws Error when `@opentelemetry/api` is not installed
 */
export async function startTracing(options: TracingOptions = {}): Promise<() => void> {
  const { relation = 'parent', acks: withAcks = false, server = null } = options;
  const api = await openTelemetry();
  return traceWith(new OpenTelemetrySpans({ api, relation, withAcks, server }) satisfies Spans);
}

async function openTelemetry(): Promise<typeof import('@opentelemetry/api')> {
  try {
    return await import('@opentelemetry/api');
  } catch (cause) {
    throw new Error('Tracing needs the package @opentelemetry/api, which could not be loaded: install it beside your SDK.', { cause });
  }
}
