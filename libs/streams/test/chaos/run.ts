/** An outcome that ends a message for its group. `null` stands for the others: it is to be handled again. */
export type Final = 'ack' | 'dead' | null;

/**
 * One run of a handler. Moments are microseconds of the monotonic clock, which all processes of a machine share, by the process
 * that ran the handler.
 */
export interface Run {
  /** The process, counted from 0: a replacement is another one. */
  readonly worker: number;
  readonly value: number;
  readonly attempt: number;
  readonly partition: number;
  readonly offset: number;
  /** How often a process had vanished with the message. */
  readonly crashes: number;
  readonly begunAt: number;
  /** When the handler returned or threw; null when its process did not live to see it. */
  endedAt: number | null;
  isSuccess: boolean;
  /** When its process knew that Redis had settled the message for it; null when it never did. */
  settledAt: number | null;
  settledAs: Final;
  /** The epoch under which it was settled; null in shared mode. */
  epoch: number | null;
}

/** Whether the message was done with by this run, as far as its process knew. */
export function isFinal(run: Run): run is Run & { endedAt: number; settledAt: number } {
  return run.settledAs !== null && run.settledAt !== null && run.endedAt !== null;
}

export function groupedBy<Item, By>(items: Iterable<Item>, by: (item: Item) => By): Item[][] {
  const groups = new Map<By, Item[]>();
  for (const item of items) {
    const group = groups.get(by(item));
    if (group) group.push(item);
    else groups.set(by(item), [item]);
  }
  return [...groups.values()];
}
