import type { TopicDefinition } from '@millrace/core';
import type { DeadLetterPage, DeadLetters } from '@millrace/streams';
import { isCount, isEntryId, partsOf } from '../page/cursor.js';
import { type DeadLetterView, letterViewOf } from './letter-view.js';

/** Dead letters that one call reads at the most. */
const A_CALL = 100;

/** How far a scan has come. */
export interface LetterPosition {
  readonly partition: number;
  /** The last entry that is done with. */
  readonly after: string;
}

export function isLetterPosition(value: unknown): value is LetterPosition {
  const parts = partsOf(value);
  return parts !== null && isCount(parts['partition']) && isEntryId(parts['after']);
}

export interface LetterQuestion {
  readonly topic: TopicDefinition;
  readonly group: string;
  /** Most dead letters that are looked at. */
  readonly most: number;
  /** By partition the last entry that is looked at, null for none; undefined: to the end. */
  readonly ends?: readonly (string | null)[] | undefined;
  /** Takes a dead letter, which nothing hides yet. @returns false when the page ends behind it */
  readonly take: (letter: DeadLetterView) => boolean;
}

export interface LettersScanned {
  readonly scanned: number;
  /** Null at the end. */
  readonly position: LetterPosition | null;
}

/** Looks at the dead letters of a group, partition by partition, the oldest first. */
export async function scanLetters(
  deadLetters: DeadLetters,
  question: LetterQuestion,
  start: LetterPosition | null,
): Promise<LettersScanned> {
  let scanned = 0;
  let { partition, after } = start ?? BEGINNING;
  while (partition < question.topic.partitions) {
    const { records, isEnd } = await readPart(deadLetters, question, { partition, after, most: question.most - scanned });
    for (const record of records) {
      scanned += 1;
      after = record.id.slice(record.id.indexOf(':') + 1);
      const goesOn = question.take(letterViewOf(record));
      if (!goesOn || scanned >= question.most) return { scanned, position: { partition, after } };
    }
    if (isEnd) [partition, after] = [partition + 1, BEGINNING.after];
  }
  return { scanned, position: null };
}

const BEGINNING: LetterPosition = { partition: 0, after: '0-0' };

interface Part extends LetterPosition {
  readonly most: number;
}

function readPart(
  deadLetters: DeadLetters,
  { topic, group, ends }: LetterQuestion,
  { partition, after, most }: Part,
): Promise<DeadLetterPage> {
  const until = ends === undefined ? '+' : (ends[partition] ?? null);
  if (until === null) return Promise.resolve({ records: [], isEnd: true });
  return deadLetters.page(topic, group, { partition, after, until, limit: Math.min(A_CALL, most) });
}
