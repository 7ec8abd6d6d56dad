import { seededRandom } from '@millrace/testing';

/** How a group hands messages out. */
export type Mode = 'shared' | 'ordered';

export interface PlannedMessage {
  /** Its payload, and its name: no other message has it. */
  readonly value: number;
  readonly key: string | null;
  /** With one, a publish that failed is tried again. */
  readonly idempotencyKey: string | null;
  readonly atMs: number;
  /** Number of the process that publishes it. */
  readonly process: number;
  /** After how many milliseconds it is due; null at once. */
  readonly delayMs: number | null;
  readonly handler: 'good' | 'fails-once' | 'always-fails';
  readonly handleMs: number;
}

export type FaultKind =
  | { readonly kind: 'lose' | 'kill'; readonly process: number }
  | { readonly kind: 'freeze'; readonly process: number; readonly forMs: number }
  | { readonly kind: 'cut'; readonly process: number; readonly forMs: number; readonly how: 'lost' | 'silent' }
  | { readonly kind: 'clock'; readonly process: number; readonly byMs: number }
  | { readonly kind: 'redis-clock'; readonly byMs: number }
  | { readonly kind: 'redis-stall'; readonly forMs: number }
  | { readonly kind: 'forget-scripts' }
  | { readonly kind: 'destroy-group'; readonly choice: number };

export type Fault = FaultKind & { readonly atMs: number };

/** How often packets fare badly: each a share of 1. */
export interface Weather {
  readonly lost: number;
  readonly silent: number;
  readonly slow: number;
}

/** All that is decided before a run begins. */
export interface Plan {
  readonly seed: number;
  readonly mode: Mode;
  readonly partitions: number;
  /** Processes that subscribe. One more only publishes. */
  readonly members: number;
  readonly concurrency: number;
  /** Null: as the engine thinks best. */
  readonly messagesPerEntry: number | null;
  readonly leaseMs: number;
  readonly messages: readonly PlannedMessage[];
  readonly faults: readonly Fault[];
  readonly weather: Weather;
  /** When the faults end, and the weather becomes good. */
  readonly calmAtMs: number;
}

/** Draws from a seed. */
class Draws {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** From 0 on, below `count`. */
  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  happens(share: number): boolean {
    return this.#random() < share;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

const KEYS = 5;

export function planOf(seed: number, mode: Mode): Plan {
  const draws = new Draws(seed ^ 0x5eed);
  const members = draws.between(2, 4);
  const leaseMs = draws.of([300, 500, 1_000]);
  const publishingMs = draws.of([50, 200, 800]);
  const calmAtMs = publishingMs + draws.between(50, 600);
  const count = draws.of([5, 10, 30]);
  // An ordered group dead-letters messages without a key.
  const keyed = mode === 'ordered' ? 1 : 0.6;
  const range = { publishingMs, processes: members + 1, keyed };
  const messages = Array.from({ length: count }, (_, value) => messageOf(draws, { ...range, value }));
  const faults = Array.from({ length: draws.below(6) }, () => faultOf(draws, { members, leaseMs, calmAtMs }));
  const weather = { lost: draws.of([0, 0.003, 0.01, 0.04]), silent: draws.of([0, 0, 0, 0.002]), slow: draws.of([0, 0.01, 0.05]) };
  const size = { partitions: draws.between(1, 4), members, concurrency: draws.of([1, 3, 16]) };
  const messagesPerEntry = draws.of([null, 1, 4, 16]);
  return { seed, mode, ...size, messagesPerEntry, leaseMs, messages, faults, weather, calmAtMs };
}

interface Range {
  readonly value: number;
  readonly publishingMs: number;
  readonly processes: number;
  /** The share of messages that have a key. */
  readonly keyed: number;
}

function messageOf(draws: Draws, { value, publishingMs, processes, keyed }: Range): PlannedMessage {
  return {
    value,
    key: draws.happens(keyed) ? `k${draws.below(KEYS)}` : null,
    idempotencyKey: draws.happens(0.5) ? `i${value}` : null,
    // Many at once, so that they share a batch and an entry.
    atMs: draws.happens(0.6) ? Math.floor(publishingMs / 4) * draws.below(4) : draws.below(publishingMs),
    process: draws.happens(0.6) ? processes - 1 : draws.below(processes),
    delayMs: draws.happens(0.1) ? draws.between(1, 400) : null,
    handler: draws.of(['good', 'good', 'good', 'good', 'good', 'good', 'fails-once', 'always-fails']),
    handleMs: draws.happens(0.05) ? draws.between(100, 800) : draws.of([0, 1, 5, 20]),
  };
}

interface Setting {
  readonly members: number;
  readonly leaseMs: number;
  readonly calmAtMs: number;
}

function faultOf(draws: Draws, { members, leaseMs, calmAtMs }: Setting): Fault {
  const process = draws.below(members + 1);
  const faults: FaultKind[] = [
    { kind: 'lose', process },
    { kind: 'kill', process },
    { kind: 'kill', process },
    { kind: 'freeze', process, forMs: draws.between(10, 3 * leaseMs) },
    { kind: 'freeze', process, forMs: draws.between(leaseMs, 3 * leaseMs) },
    { kind: 'cut', process, forMs: draws.between(1, 2 * leaseMs), how: draws.of(['lost', 'silent']) },
    { kind: 'clock', process, byMs: draws.between(-100_000, 100_000) },
    { kind: 'redis-clock', byMs: draws.between(-4_000, 4_000) },
    { kind: 'redis-stall', forMs: draws.between(10, 2 * leaseMs) },
    { kind: 'forget-scripts' },
    { kind: 'destroy-group', choice: draws.below(1_000) },
  ];
  return { ...draws.of(faults), atMs: draws.below(calmAtMs) };
}
