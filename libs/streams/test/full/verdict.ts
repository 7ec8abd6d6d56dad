import type { DeadLetterRecord } from '@millrace/streams';
import { ATTEMPTS, isPoison } from './plan.js';

/** One run of a handler that began, or succeeded. */
export interface Run {
  readonly value: number;
  readonly attempt: number;
}

/** The history of a run, recorded beside Redis, and the data in Redis at its end. */
export interface History {
  readonly attempted: ReadonlySet<number>;
  readonly confirmed: ReadonlySet<number>;
  readonly begun: readonly Run[];
  readonly done: readonly Run[];
  /** The values of all messages in the log, repeated where a message is stored several times. */
  readonly stored: readonly number[];
  readonly dead: readonly DeadLetterRecord[];
}

export interface Verdict {
  /** I1: confirmed, and neither handled nor dead-lettered. */
  readonly lost: number;
  /** I2: handled, stored or dead-lettered, and never published. */
  readonly phantom: number;
  /** I3: stored more than once under one idempotency key. */
  readonly dupEntries: number;
  /** Attempts that began more than once. Not forbidden: bounded by the faults. */
  readonly reruns: number;
  /** Messages whose handler succeeded more than once. */
  readonly duplicates: number;
  /** I7 and I8: dead letters that should not exist, exist twice, were handled as well, or lack a part of their history. */
  readonly badDeadLetters: number;
}

export function verdictOn(history: History): Verdict {
  const { attempted, confirmed, begun, done, stored, dead } = history;
  const handled = done.map(({ value }) => value);
  const letters = dead.map(valueOf);
  const ended = new Set([...handled, ...letters]);
  const seen = new Set([...begun.map(({ value }) => value), ...ended, ...stored]);
  return {
    lost: [...confirmed].filter((value) => !ended.has(value)).length,
    phantom: [...seen].filter((value) => !attempted.has(value)).length,
    dupEntries: repetitions(stored),
    reruns: repetitions(begun.map(({ value, attempt }) => `${value}/${attempt}`)),
    duplicates: repetitions(handled),
    badDeadLetters: badLetters(dead, new Set(handled)),
  };
}

/** Whether no invariant is broken; without faults but stops in order, no attempt may run again. */
export function isClean({ reruns: _, duplicates: __, ...broken }: Verdict): boolean {
  return Object.values(broken).every((count) => count === 0);
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
