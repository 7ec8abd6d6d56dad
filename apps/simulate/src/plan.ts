import { seededRandom } from '@millrace/testing';

/** How a group hands messages out. */
export type Mode = 'shared' | 'ordered';

/** How the handler of a message fares: `kills` ends its process each time. */
export type HandlerKind = 'good' | 'fails-once' | 'always-fails' | 'kills-once' | 'kills';

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
  readonly handler: HandlerKind;
  readonly handleMs: number;
}

export type FaultKind =
  | { readonly kind: 'lose' | 'kill'; readonly process: number }
  | { readonly kind: 'stop'; readonly process: number; readonly deadlineMs: number; readonly loses: boolean }
  | { readonly kind: 'freeze'; readonly process: number; readonly forMs: number }
  | { readonly kind: 'cut'; readonly process: number; readonly forMs: number; readonly how: 'lost' | 'silent' }
  | { readonly kind: 'clock'; readonly process: number; readonly byMs: number }
  | { readonly kind: 'redis-clock'; readonly byMs: number }
  | { readonly kind: 'redis-stall'; readonly forMs: number }
  | { readonly kind: 'forget-scripts' }
  | { readonly kind: 'destroy-group'; readonly choice: number; readonly kills: boolean }
  | { readonly kind: 'pause'; readonly forMs: number }
  | { readonly kind: 'seek' | 'redrive' };

/** A message is a dead letter when so many processes died of it. */
export const CRASH_LIMIT = 5;

export type Fault = FaultKind & { readonly atMs: number };

/** How often packets fare badly: each a share of 1. */
export interface Weather {
  readonly lost: number;
  readonly silent: number;
  readonly slow: number;
  /** Requests that arrive when others may have taken their sender for dead. */
  readonly late: number;
  /** Replies alone that are lost: what they answer was done. */
  readonly unanswered: number;
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
  const range = { publishingMs, processes: members + 1, keyed, handlers: handlersOf(draws), slow: draws.of([0.05, 0.05, 0.4]) };
  const planned = Array.from({ length: count }, (_, value) => messageOf(draws, { ...range, value }));
  const messages = draws.happens(0.1) ? withKiller(draws, planned) : planned;
  const faults = faultsOf(draws, { members, leaseMs, calmAtMs });
  const weather = weatherOf(draws);
  const size = { partitions: draws.between(1, 4), members, concurrency: draws.of([1, 3, 16]) };
  const messagesPerEntry = draws.of([null, 1, 4, 16]);
  return { seed, mode, ...size, messagesPerEntry, leaseMs, messages, faults, weather, calmAtMs };
}

function handlersOf(draws: Draws): readonly HandlerKind[] {
  const good = Array.from({ length: draws.of([1, 6]) }, () => 'good' as const);
  return [...good, 'fails-once', 'always-fails'];
}

/** One is enough: each death takes a second until others know of it. */
function withKiller(draws: Draws, messages: readonly PlannedMessage[]): readonly PlannedMessage[] {
  const killer = draws.below(messages.length);
  const handler = draws.of(['kills-once', 'kills'] as const);
  return messages.map((message, index) => (index === killer ? { ...message, handler } : message));
}

function weatherOf(draws: Draws): Weather {
  return {
    lost: draws.of([0, 0.003, 0.01, 0.04]),
    silent: draws.of([0, 0, 0, 0.002]),
    slow: draws.of([0, 0.01, 0.05]),
    late: draws.of([0, 0, 0.01, 0.03]),
    unanswered: draws.of([0, 0, 0.01, 0.05]),
  };
}

/** Whether a fault of a kind is in the plan. */
export function has({ faults }: Pick<Plan, 'faults'>, kind: FaultKind['kind']): boolean {
  return faults.some((fault) => fault.kind === kind);
}

interface Range {
  readonly value: number;
  readonly publishingMs: number;
  readonly processes: number;
  /** The share of messages that have a key. */
  readonly keyed: number;
  readonly handlers: readonly HandlerKind[];
  /** The share of messages that are handled for long. */
  readonly slow: number;
}

function messageOf(draws: Draws, { value, publishingMs, processes, keyed, handlers, slow }: Range): PlannedMessage {
  return {
    value,
    key: draws.happens(keyed) ? `k${draws.below(KEYS)}` : null,
    idempotencyKey: draws.happens(0.5) ? `i${value}` : null,
    // Many at once, so that they share a batch and an entry.
    atMs: draws.happens(0.6) ? Math.floor(publishingMs / 4) * draws.below(4) : draws.below(publishingMs),
    process: draws.happens(0.6) ? processes - 1 : draws.below(processes),
    delayMs: draws.happens(0.1) ? draws.between(1, 400) : null,
    handler: draws.of(handlers),
    handleMs: draws.happens(slow) ? draws.between(100, 800) : draws.of([0, 1, 5, 20]),
  };
}

interface Setting {
  readonly members: number;
  readonly leaseMs: number;
  readonly calmAtMs: number;
}

/** Few kinds in one plan, and several of each: what meets itself is found more often than in a mixture of everything. */
function faultsOf(draws: Draws, setting: Setting): readonly Fault[] {
  const kinds = Array.from({ length: draws.between(1, 3) }, () => draws.below(FAULTS.length));
  return Array.from({ length: draws.below(6) }, () => {
    const fault = FAULTS[draws.of(kinds)]!(draws, { ...setting, process: draws.below(setting.members + 1) });
    return { ...fault, atMs: draws.below(setting.calmAtMs) };
  });
}

type FaultOf = (draws: Draws, setting: Setting & { readonly process: number }) => FaultKind;

const FAULTS: readonly FaultOf[] = [
  (_, { process }) => ({ kind: 'lose', process }),
  (_, { process }) => ({ kind: 'kill', process }),
  (_, { process }) => ({ kind: 'kill', process }),
  (draws, { process }) => ({ kind: 'stop', process, deadlineMs: draws.of([0, 20, 200]), loses: false }),
  (draws, { process }) => ({ kind: 'stop', process, deadlineMs: draws.of([0, 20, 200]), loses: true }),
  (draws, { process, leaseMs }) => ({ kind: 'freeze', process, forMs: draws.between(10, 3 * leaseMs) }),
  (draws, { process, leaseMs }) => ({ kind: 'freeze', process, forMs: draws.between(leaseMs, 3 * leaseMs) }),
  (draws, { process, leaseMs }) => ({ kind: 'cut', process, forMs: draws.between(1, 2 * leaseMs), how: draws.of(['lost', 'silent']) }),
  (draws, { process }) => ({ kind: 'clock', process, byMs: draws.between(-100_000, 100_000) }),
  (draws) => ({ kind: 'redis-clock', byMs: draws.between(-4_000, 4_000) }),
  (draws, { leaseMs }) => ({ kind: 'redis-stall', forMs: draws.between(10, 2 * leaseMs) }),
  () => ({ kind: 'forget-scripts' }),
  (draws) => ({ kind: 'destroy-group', choice: draws.below(1_000), kills: draws.happens(0.3) }),
  (draws) => ({ kind: 'pause', forMs: draws.between(10, 600) }),
  () => ({ kind: 'redrive' }),
  () => ({ kind: 'seek' }),
];
