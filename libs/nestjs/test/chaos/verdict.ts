import type { Effect, History } from './history.js';

/** Numbers of orders, messages or effects that broke a promise; the `window` is none. */
export interface Verdict {
  /** Orders that were placed, and whose message is in no log, or without an effect in any group. */
  readonly lost: number;
  /** Messages of orders that were not placed. */
  readonly phantom: number;
  /** Messages beyond the first of an order in a topic. */
  readonly doubled: number;
  /** Effects beyond the first with the inbox; others that no kill explains. */
  readonly dupEffects: number;
  readonly halvesLeft: number;
  /** Rows of the outbox, messages of groups and of forward logs that were left. */
  readonly stuck: number;
  readonly deadLetters: number;
  readonly badExits: number;
  /** Repeated effects outside of a database's transaction, whose process was killed before it could mark them. */
  readonly window: number;
}

const INBOX: readonly Effect['kind'][] = ['reserved', 'shipped'];
const OTHERS: readonly Effect['kind'][] = ['mailed', 'numbered', 'invoiced'];

export function verdictOn({ placed, published, forwarded, effects, killed, left, deadLetters, badExits }: History): Verdict {
  const orders = new Set(placed);
  const dead = new Set(killed);
  const isIn = [new Set(published), new Set(forwarded)] as const;
  const runs = groupsOf(effects);
  const without = (order: number): boolean => [...INBOX, ...OTHERS].some((kind) => !runs.has(nameOf({ kind, order })));
  const repeated = [...runs.values()].flatMap((group) => repetitionsIn(group, dead));
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

/** @returns of each repetition of an effect whether the death of the process before it explains it */
function repetitionsIn(group: readonly Effect[], dead: ReadonlySet<number>): boolean[] {
  const alive = group.filter(({ pid }) => !dead.has(pid)).length;
  const isInbox = INBOX.includes(group[0]!.kind);
  // A group of n has n - 1 repetitions: each process that was killed explains one.
  const explained = isInbox ? 0 : Math.min(group.length - 1, group.length - Math.max(1, alive));
  return group.slice(1).map((_, index) => index < explained);
}

function groupsOf(effects: readonly Effect[]): ReadonlyMap<string, Effect[]> {
  const groups = new Map<string, Effect[]>();
  for (const effect of effects) {
    const group = groups.get(nameOf(effect));
    if (group) group.push(effect);
    else groups.set(nameOf(effect), [effect]);
  }
  return groups;
}

function nameOf({ kind, order }: Pick<Effect, 'kind' | 'order'>): string {
  return `${kind} ${order}`;
}

function beyondFirst(orders: readonly number[]): number {
  return orders.length - new Set(orders).size;
}
