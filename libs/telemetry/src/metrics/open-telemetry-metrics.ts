import { type HandledAttempt, listen, type SendOutcome } from '@millrace/core';
import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';
import * as conventions from '../trace/semantic-conventions.js';
import { LabelCap, PairCap } from './label-cap.js';
import { LABEL_LIMITS } from './label-limits.js';

export interface MetersOptions {
  /** The server of the messages, for the attributes `server.address` and `server.port`. Default: they are absent. */
  readonly server?: conventions.ServerAddress | null;
}

/**
 * Counts messages and jobs of this process, from now on, in the instruments that the messaging conventions of OpenTelemetry name:
 * of the meter provider that the application has registered before. Started again, it counts no second time.
 *
 * @returns a function that ends it; null where no provider is registered, or `@opentelemetry/api` is not installed
 */
export async function startMeters({ server = null }: MetersOptions = {}): Promise<(() => void) | null> {
  const api = await import('@opentelemetry/api').catch(() => null);
  if (api === null) return null;
  const meter = api.metrics.getMeter('millrace');
  // Without a provider it is the one that does nothing.
  if (meter === api.createNoopMeter()) return null;
  return joined(() => new OpenTelemetryMetrics(meter, server).start());
}

/** There is one for the process: a second one would count all of it again. */
let running: { readonly stop: () => void; users: number } | null = null;

/** @returns a function that ends it, with the last of those who started it */
function joined(start: () => () => void): () => void {
  const own = (running ??= { stop: start(), users: 0 });
  own.users += 1;
  let isUser = true;
  return () => {
    if (isUser) own.users -= 1;
    isUser = false;
    if (own.users > 0 || running !== own) return;
    running = null;
    own.stop();
  };
}

interface Sent {
  readonly place: Attributes;
  readonly operation: string;
  readonly outcome: SendOutcome;
  readonly count: number;
  readonly durationMs: number;
}

class OpenTelemetryMetrics {
  readonly #server: Attributes;
  readonly #operations: Histogram;
  readonly #sent: Counter;
  readonly #consumed: Counter;
  readonly #processing: Histogram;
  readonly #groups = new PairCap({ first: LABEL_LIMITS.topics, ofEach: LABEL_LIMITS.groupsOfTopic });
  readonly #queues = new LabelCap(LABEL_LIMITS.queues);
  readonly #errors = new LabelCap(LABEL_LIMITS.errorTypes);

  constructor(meter: Meter, server: conventions.ServerAddress | null) {
    this.#server = conventions.attributesOf(server);
    const duration = { unit: 's', advice: { explicitBucketBoundaries: [...conventions.DURATION_BUCKETS] } };
    const messages = { unit: '{message}' };
    this.#operations = meter.createHistogram(conventions.OPERATION_DURATION, duration);
    this.#sent = meter.createCounter(conventions.SENT_MESSAGES, messages);
    this.#consumed = meter.createCounter(conventions.CONSUMED_MESSAGES, messages);
    this.#processing = meter.createHistogram(conventions.PROCESS_DURATION, duration);
  }

  start(): () => void {
    const stops = [...this.#hearMessages(), ...this.#hearJobs()];
    return () => {
      for (const stop of stops.splice(0)) stop();
    };
  }

  #hearMessages(): (() => void)[] {
    return [
      listen('published', ({ topic, ...sent }) => this.#tellSent({ ...sent, place: this.#topic(topic), operation: 'publish' })),
      listen('fetched', ({ topic, group, count }) => {
        this.#consumed.add(count, { ...this.#group(topic, group), [conventions.MESSAGING_OPERATION_NAME]: 'receive' });
      }),
      listen('handled', ({ topic, group, ...attempt }) => this.#tellHandled(this.#group(topic, group), attempt)),
    ];
  }

  #hearJobs(): (() => void)[] {
    return [
      listen('enqueued', ({ queue, ...sent }) => this.#tellSent({ ...sent, place: this.#queue(queue), operation: 'enqueue' })),
      listen('job-handled', ({ queue, ...attempt }) => {
        const place = this.#queue(queue);
        this.#consumed.add(1, { ...place, [conventions.MESSAGING_OPERATION_NAME]: 'receive' });
        this.#tellHandled(place, attempt);
      }),
    ];
  }

  /** Those that were refused before anything was sent are none. */
  #tellSent({ place, operation, outcome, count, durationMs }: Sent): void {
    if (outcome === 'invalid') return;
    const error = outcome === 'error' ? { [conventions.ERROR_TYPE]: '_OTHER' } : {};
    const attributes = { ...place, ...error, [conventions.MESSAGING_OPERATION_NAME]: operation };
    this.#sent.add(count, attributes);
    if (durationMs <= 0) return;
    this.#operations.record(durationMs / 1_000, { ...attributes, [conventions.MESSAGING_OPERATION_TYPE]: 'send' });
  }

  #tellHandled(place: Attributes, { durationMs, errorType }: HandledAttempt): void {
    const error = errorType === undefined ? {} : { [conventions.ERROR_TYPE]: this.#errors.of(errorType) };
    this.#processing.record(durationMs / 1_000, { ...place, ...error, [conventions.MESSAGING_OPERATION_NAME]: 'process' });
  }

  #topic(topic: string): Attributes {
    return this.#place(conventions.STREAMS_SYSTEM, this.#groups.first(topic));
  }

  #group(topic: string, group: string): Attributes {
    const [first, second] = this.#groups.of(topic, group);
    return { ...this.#place(conventions.STREAMS_SYSTEM, first), [conventions.MESSAGING_CONSUMER_GROUP_NAME]: second };
  }

  #queue(queue: string): Attributes {
    return this.#place(conventions.JOBS_SYSTEM, this.#queues.of(queue));
  }

  #place(system: string, destination: string): Attributes {
    return {
      ...this.#server,
      [conventions.MESSAGING_SYSTEM]: system,
      [conventions.MESSAGING_DESTINATION_NAME]: destination,
    };
  }
}
