import type { DeadLetterRecord } from '@millrace/streams';
import { inversions } from './order.js';
import { overtaken } from './overtaken.js';
import { intruders } from './owners.js';
import { ATTEMPTS, isPoison, type Mode } from './plan.js';
import { groupedBy, isFinal, type Run } from './run.js';

/** The history of a run, recorded beside Redis, and the data in Redis at its end. */
export interface History {
  readonly mode: Mode;
  readonly attempted: ReadonlySet<number>;
  readonly confirmed: ReadonlySet<number>;
  readonly runs: readonly Run[];
  /** The values of all messages in the log, repeated where a message is stored several times. */
  readonly stored: readonly number[];
  readonly dead: readonly DeadLetterRecord[];
  /** Messages that the group has not done with, in Redis. */
  readonly left: number;
}

/** Numbers of messages or runs that broke a promise; `reruns`, `duplicates` and `overtaken` are no promise. */
export interface Verdict {
  /** I1: confirmed, and neither handled nor dead-lettered. */
  readonly lost: number;
  /** I2: handled, stored or dead-lettered, and never published. */
  readonly phantom: number;
  /** I3: stored more than once under one idempotency key. */
  readonly dupEntries: number;
  /** I4: runs that began after another process, or the same, knew that Redis had settled an earlier run of the message. */
  readonly dupEffects: number;
  /** I5: messages that broke the order of their key; null in shared mode, which promises none. */
  readonly order: number | null;
  /** I11: settled runs of a process that did not own the partition; null in shared mode, where nobody does. */
  readonly twoOwners: number | null;
  /** I7: messages that the group never got done with. */
  readonly stuck: number;
  /** I7 and I8: dead letters that should not exist, exist twice, were handled as well, or lack a part of their history. */
  readonly badDeadLetters: number;
  /** Attempts that began more than once. Not forbidden: bounded by the faults. */
  readonly reruns: number;
  /** Messages whose handler succeeded more than once. Not forbidden either. */
  readonly duplicates: number;
  /** Runs of halted processes that only a fence could refuse. Not forbidden, and not among the others above. */
  readonly overtaken: number;
}

export function verdictOn(history: History): Verdict {
  const { mode, attempted, confirmed, runs, stored, dead, left } = history;
  const handled = runs.filter(({ isSuccess }) => isSuccess).map(({ value }) => value);
  const letters = dead.map(valueOf);
  const ended = new Set([...handled, ...letters]);
  const seen = new Set([...runs.map(({ value }) => value), ...ended, ...stored]);
  const isOrdered = mode === 'ordered';
  const late = overtaken(runs);
  const effects = runs.filter((run) => !late.has(run));
  return {
    lost: [...confirmed].filter((value) => !ended.has(value)).length,
    phantom: [...seen].filter((value) => !attempted.has(value)).length,
    dupEntries: repetitions(stored),
    dupEffects: groupedBy(effects, ({ value }) => value).reduce((sum, ofMessage) => sum + runsTooMany(ofMessage), 0),
    order: isOrdered ? inversions(effects) : null,
    twoOwners: isOrdered ? intruders(runs) : null,
    stuck: left,
    badDeadLetters: badLetters(dead, new Set(handled)),
    reruns: repetitions(runs.map(({ value, attempt }) => `${value}/${attempt}`)),
    duplicates: repetitions(handled),
    overtaken: late.size,
  };
}

/** Whether no promise is broken; without faults but stops in order, no attempt may run again. */
export function isClean({ reruns: _, duplicates: __, overtaken: ___, ...broken }: Verdict): boolean {
  return Object.values(broken).every((count) => count === 0 || count === null);
}

function runsTooMany(ofMessage: readonly Run[]): number {
  const doneAt = Math.min(...ofMessage.filter(isFinal).map(({ settledAt }) => settledAt));
  return ofMessage.filter(({ begunAt }) => begunAt > doneAt).length;
}

function badLetters(dead: readonly DeadLetterRecord[], handled: ReadonlySet<number>): number {
  const letters = dead.map(valueOf);
  const isGood = ({ reason, attempts, error, publishedAt }: DeadLetterRecord, index: number): boolean => {
    const value = letters[index]!;
    const isWhole = reason === 'ATTEMPTS_EXHAUSTED' && attempts === ATTEMPTS && error.message === 'as planned' && publishedAt !== null;
    return isWhole && isPoison(value) && !handled.has(value) && letters.indexOf(value) === index;
  };
  return dead.filter((letter, index) => !isGood(letter, index)).length;
}

/** -1 for a foreign entry. */
function valueOf({ envelope }: DeadLetterRecord): number {
  try {
    return (JSON.parse(envelope) as [number, string, string, string, null, { value: number }])[5].value;
  } catch {
    return -1;
  }
}

function repetitions(items: readonly unknown[]): number {
  return items.length - new Set(items).size;
}
