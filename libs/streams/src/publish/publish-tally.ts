import { eventChannel, type SendOutcome } from '@millrace/core';

const PUBLISHED = eventChannel('published');

interface Settled {
  count: number;
  /** When the first of them was published, by the monotonic clock, in milliseconds. */
  firstAtMs: number;
}

/** Tells observers how the publishes to one topic end: those that end in the same turn by one event an outcome. */
export class PublishTally {
  readonly #topic: string;
  readonly #settled = new Map<SendOutcome, Settled>();

  constructor(topic: string) {
    this.#topic = topic;
  }

  /** Whether anybody listens. The clock is read, and {@link add} called, only then. */
  static get isHeard(): boolean {
    return PUBLISHED.hasSubscribers;
  }

  /** @param publishedAtMs by the monotonic clock; 0 when it is not known */
  add(outcome: SendOutcome, publishedAtMs: number): void {
    const { size } = this.#settled;
    const settled = this.#settled.get(outcome);
    if (settled) settled.count += 1;
    else this.#settled.set(outcome, { count: 1, firstAtMs: publishedAtMs });
    if (size === 0) queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    const nowMs = performance.now();
    for (const [outcome, { count, firstAtMs }] of this.#settled) {
      PUBLISHED.publish({ topic: this.#topic, outcome, count, durationMs: firstAtMs === 0 ? 0 : nowMs - firstAtMs });
    }
    this.#settled.clear();
  }
}

/** Tells of a message that was refused before it was on its way. */
export function tellRefused(topic: string): void {
  if (PUBLISHED.hasSubscribers) PUBLISHED.publish({ topic, outcome: 'error', count: 1, durationMs: 0 });
}

/** Tells of forwarded messages that are stored now. @param sinceMs when the call to Redis began; 0: nobody listened */
export function tellForwarded(topic: string, count: number, sinceMs: number): void {
  if (sinceMs > 0) PUBLISHED.publish({ topic, outcome: 'ok', count, durationMs: performance.now() - sinceMs });
}
