import { type Progress, Standstill } from './progress.js';

/** A long run of messages or calls, during which faults occur. */
export interface Course<Kind extends string> {
  readonly messages: number;
  /** In the order in which they occur. */
  readonly faults: readonly Kind[];
  readonly random: () => number;
  /** Sends the numbers from `first` to before `end`. */
  readonly send: (first: number, end: number) => Promise<void>;
  readonly progress: Pick<Progress, 'further'>;
  /** Resolves when the fault is over. */
  readonly strike: (kind: Kind) => Promise<unknown>;
}

/** How many times each fault occurred. */
export type FaultCounts<Kind extends string> = Readonly<Partial<Record<Kind, number>>>;

/**
 * Sends the messages in as many shares as there are faults: each share meets one fault, somewhere in its first half. A standstill
 * ends it early.
 */
export async function throughFaults<Kind extends string>(course: Course<Kind>): Promise<FaultCounts<Kind>> {
  const counts: Partial<Record<Kind, number>> = {};
  try {
    await underFaults(course, (kind) => (counts[kind] = (counts[kind] ?? 0) + 1));
  } catch (thrown) {
    if (!(thrown instanceof Standstill)) throw thrown;
  }
  return counts;
}

async function underFaults<Kind extends string>(course: Course<Kind>, count: (kind: Kind) => void): Promise<void> {
  const { messages, faults, random } = course;
  const shares = Math.max(1, faults.length);
  const share = messages / shares;
  let sent = Promise.resolve();
  for (let index = 0; index < shares; index += 1) {
    const [first, end] = [Math.round(index * share), Math.round((index + 1) * share)];
    sent = sent.then(() => course.send(first, end));
    // The loop below may end by another error first.
    sent.catch(() => undefined);
    await course.progress.further(1 + Math.floor((random() * share) / 2));
    const kind = faults[index];
    if (kind === undefined) continue;
    await course.strike(kind);
    count(kind);
  }
  await sent;
}
