import type { Effect, History } from './history.js';

/** Numbers of orders, messages or effects that broke a promise; the `window` is none. */
export interface Verdict {
  /** Orders that were placed, and whose message is in no log, or without an effect in any group. */
  readonly lost: number;
  /** Messages of orders that were not placed. */
  readonly phantom: number;
  /** Messages beyond the first of an order in a topic. */
  readonly doubled: number;
  /**
   * Effects beyond the first with the inbox. With the others: those that began when a process knew that the effect was marked,
   * and those that nothing explains which befell the process before.
   */
  readonly dupEffects: number;
  readonly halvesLeft: number;
  /** Rows of the outbox, messages of groups and of forward logs that were left. */
  readonly stuck: number;
  readonly deadLetters: number;
  readonly badExits: number;
  /** Repeated effects outside of a database's transaction, whose process was struck before they were marked. */
  readonly window: number;
}

const INBOX: readonly Effect['kind'][] = ['reserved', 'shipped'];
const OTHERS: readonly Effect['kind'][] = ['mailed', 'numbered', 'invoiced'];

export function verdictOn(history: History): Verdict {
  const { placed, published, forwarded, effects, left, deadLetters, badExits } = history;
  const orders = new Set(placed);
  const isIn = [new Set(published), new Set(forwarded)] as const;
  const runs = groupedBy(effects.toSorted((one, other) => one.at - other.at), nameOf);
  const without = (order: number): boolean => [...INBOX, ...OTHERS].some((kind) => !runs.has(nameOf({ kind, order })));
  const repeated = [...runs.values()].flatMap(repetitions(history));
  return {
    lost: placed.filter((order) => !isIn[0].has(order) || !isIn[1].has(order) || without(order)).length,
    phantom: [...published, ...forwarded].filter((order) => !orders.has(order)).length,
    doubled: beyondFirst(published) + beyondFirst(forwarded),
    dupEffects: repeated.filter((isExplained) => !isExplained).length,
    halvesLeft: left.halves,
    stuck: left.rows + left.unhandled + left.unforwarded,
    deadLetters,
    badExits,
    window: repeated.filter(Boolean).length,
  };
}

/** Whether no promise is broken. */
export function isClean({ window: _, ...broken }: Verdict): boolean {
  return Object.values(broken).every((count) => count === 0);
}

/** A strike so long before an effect still keeps its process from Redis; one so long after it still comes before its mark. */
const BEFORE_MS = 2_000;
const AFTER_MS = 10_000;

/** @returns tells of each repetition of an effect, in the order of time, whether what is documented explains it */
function repetitions({ marks, strikes }: History): (group: readonly Effect[]) => boolean[] {
  const markedAt = new Map<string, number>();
  for (const mark of marks) markedAt.set(nameOf(mark), Math.min(mark.at, markedAt.get(nameOf(mark)) ?? Infinity));
  const struck = groupedBy(strikes, ({ pid }) => pid);
  const isStruck = ({ pid, at }: Effect): boolean =>
    (struck.get(pid) ?? []).some(({ from, to }) => from <= at + AFTER_MS && to >= at - BEFORE_MS);
  const isExplained = (before: Effect, repetition: Effect): boolean =>
    !INBOX.includes(repetition.kind) && isStruck(before) && repetition.at <= (markedAt.get(nameOf(repetition)) ?? Infinity);
  return (group) => group.slice(1).map((repetition, index) => isExplained(group[index]!, repetition));
}

function groupedBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): ReadonlyMap<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function nameOf({ kind, order }: Pick<Effect, 'kind' | 'order'>): string {
  return `${kind} ${order}`;
}

function beyondFirst(orders: readonly number[]): number {
  return orders.length - new Set(orders).size;
}
