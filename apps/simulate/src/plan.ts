import { Draws } from './draws.js';
import { type Fault, type FaultKind, faultsOf } from './faults.js';
import type { Mode } from './mode.js';

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

/** A message is a dead letter when so many processes died of it. */
export const CRASH_LIMIT = 5;

/** So long a slow packet travels at the most, in milliseconds. */
export const SLOWEST_MS = 300;

/** How often packets fare badly: each a share of 1. */
export interface Weather {
  readonly lost: number;
  readonly silent: number;
  readonly slow: number;
  /** Requests that arrive when others may have taken their sender for dead. */
  readonly late: number;
  /** Replies alone that are lost: what they answer was done. */
  readonly unanswered: number;
  /** Messages of channels alone that are lost, with their connection. */
  readonly unheard: number;
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

/** How much there is to do, and for how long. */
interface Work {
  readonly partitions: number;
  readonly members: number;
  readonly concurrency: number;
  readonly messages: number;
  readonly keys: number;
  readonly publishingMs: number;
  /** How long messages are handled, but for those that are slow. */
  readonly handleMs: readonly number[];
  /** From the last planned publish to the end of the faults. */
  readonly moreMs: number;
  readonly leaseMs: number;
  /** Null: as the engine thinks best. */
  readonly messagesPerEntry: number | null;
  readonly strands: number;
  /** The share of messages that are published at one of four moments: they share a batch and an entry. */
  readonly together: number;
}

type WorkOf = (draws: Draws) => Work;

export function planOf(seed: number, mode: Mode): Plan {
  const draws = new Draws(seed ^ 0x5eed);
  const work = WORKS[mode](draws.below(10))(draws);
  const { partitions, members, concurrency, leaseMs, messagesPerEntry } = work;
  const calmAtMs = work.publishingMs + work.moreMs;
  // An ordered group dead-letters messages without a key.
  const range = { ...work, keyed: mode === 'ordered' ? 1 : 0.6, handlers: handlersOf(draws), slow: draws.of([0.05, 0.05, 0.4]) };
  const planned = Array.from({ length: work.messages }, (_, value) => messageOf(draws, { ...range, value }));
  const messages = draws.happens(0.1) ? withKiller(draws, planned) : planned;
  const faults = faultsOf(draws, { ...work, calmAtMs, mode });
  const weather = weatherOf(draws);
  return { seed, mode, partitions, members, concurrency, messagesPerEntry, leaseMs, messages, faults, weather, calmAtMs };
}

/** Messages come one by one, to members that have nothing else to do. */
function trickle(draws: Draws): Work {
  const size = { partitions: draws.between(1, 2), members: draws.between(2, 3), concurrency: draws.of([1, 3, 16]) };
  return {
    ...size, messages: draws.of([20, 40]), keys: draws.of([2, 8]), publishingMs: draws.of([1_500, 3_000]), handleMs: [0, 1, 5],
    moreMs: draws.between(300, 1_000), leaseMs: draws.of([300, 500]), messagesPerEntry: draws.of([null, 4]), strands: 0.2,
    together: draws.of([0, 0.2]),
  };
}

/** Much happens at once. */
function brief(draws: Draws): Work {
  const size = { partitions: draws.between(1, 4), members: draws.between(2, 4), concurrency: draws.of([1, 3, 16]) };
  const publishingMs = draws.of([50, 200, 800]);
  return {
    ...size, messages: draws.of([5, 10, 30]), keys: 5, publishingMs, handleMs: [0, 1, 5, 20], moreMs: draws.between(50, 600),
    leaseMs: draws.of([300, 500, 1_000]), messagesPerEntry: draws.of([null, 1, 4, 16]), strands: 0.1, together: 0.6,
  };
}

/** Few handlers have work until others have noticed a death, and taken over. */
function backlog(draws: Draws): Work {
  const size = { partitions: draws.between(1, 2), members: draws.between(2, 3), concurrency: draws.of([1, 1, 3]) };
  const handleMs = draws.of([[5, 20, 50], [50, 100]]);
  return {
    ...size, messages: draws.of([12, 24]), keys: draws.of([2, 12, 24]), publishingMs: draws.of([50, 400]), handleMs,
    moreMs: draws.between(300, 1_500), leaseMs: draws.of([300, 300, 500]), messagesPerEntry: draws.of([1, 1, 4, null]),
    strands: 0.6, together: 0.6,
  };
}

/** By a draw below ten. Each share is so large that its mutants are found. */
const WORKS: Readonly<Record<Mode, (draw: number) => WorkOf>> = {
  ordered: (draw) => (draw < 7 ? backlog : draw < 9 ? trickle : brief),
  shared: (draw) => (draw < 3 ? backlog : brief),
};

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
    unheard: draws.of([0, 0, 0.02, 0.1]),
  };
}

/** Whether a fault of a kind is in the plan. */
export function has({ faults }: Pick<Plan, 'faults'>, kind: FaultKind['kind']): boolean {
  return faults.some((fault) => fault.kind === kind);
}

interface Range extends Work {
  readonly value: number;
  /** The share of messages that have a key. */
  readonly keyed: number;
  readonly handlers: readonly HandlerKind[];
  /** The share of messages that are handled for long. */
  readonly slow: number;
}

function messageOf(draws: Draws, range: Range): PlannedMessage {
  const { value, publishingMs, together, members, keys, keyed, handlers, handleMs, slow } = range;
  return {
    value,
    key: draws.happens(keyed) ? `k${draws.below(keys)}` : null,
    idempotencyKey: draws.happens(0.5) ? `i${value}` : null,
    atMs: draws.happens(together) ? Math.floor(publishingMs / 4) * draws.below(4) : draws.below(publishingMs),
    process: draws.happens(0.6) ? members : draws.below(members + 1),
    delayMs: draws.happens(0.1) ? draws.between(1, 400) : null,
    handler: draws.of(handlers),
    handleMs: draws.happens(slow) ? draws.between(100, 800) : draws.of(handleMs),
  };
}
