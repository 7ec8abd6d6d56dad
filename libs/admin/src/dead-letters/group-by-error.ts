import { IsWholeNumber, parseOptions } from '@millrace/core';
import { IsOptional, Length } from 'class-validator';
import type { DeadLetterRecord } from '@millrace/streams';
import { CURSOR_LENGTH, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';
import { isLetterPosition, scanLetters } from './letter-scan.js';
import type { DeadLetterView } from './letter-view.js';

/** Most ways of failing in a page: those that come behind them count in later pages. */
const MOST_KINDS = 500;

/** The options of `deadLetters.errors`. */
export class ErrorsOptions {
  /** Dead letters that are looked at for a page at the most, 1 to 10,000. Default 2,000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  most?: number = 2_000;

  /** `nextCursor` of the page before. Default: the first page. */
  @IsOptional() @Length(1, CURSOR_LENGTH)
  cursor?: string;
}

/** Dead letters that were given up in the same way. */
export interface ErrorKind {
  readonly fingerprint: string;
  readonly reason: DeadLetterRecord['reason'];
  /** The error of the newest of them. */
  readonly error: Pick<DeadLetterView['error'], 'name' | 'code' | 'message'>;
  /** Whether the asker may not see the message of the error: it is null then. */
  readonly hidden: boolean;
  /** How many of those that were looked at. */
  readonly count: number;
  /** When the first and the last of them were given up. */
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  /** The id of the newest of them. */
  readonly sample: string;
}

/**
 * The dead letters of a group by the way in which they were given up, the most frequent first. Each page counts those that it has
 * looked at: {@link mergeErrors} adds pages up.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_CURSOR, UNKNOWN_TOPIC, UNKNOWN_GROUP
 */
export async function groupByError(
  { streams, mask }: UseCaseParts,
  target: GroupTarget,
  options: ErrorsOptions = {},
): Promise<Page<ErrorKind>> {
  const { most, cursor }: ErrorsOptions = parseOptions(ErrorsOptions, options, 'deadLetters.errors()');
  const question = questionOf('errors', target.topic, target.group);
  const start = positionIn(cursor, question, isLetterPosition);
  const topic = await knownGroup(streams.inspector, target);
  const kinds = new Map<string, ErrorKind>();
  const take = (letter: DeadLetterView): boolean => {
    add(kinds, kindOf(mask.letter(letter)));
    return kinds.size < MOST_KINDS;
  };
  const { scanned, position } = await scanLetters(streams.deadLetters, { topic, group: target.group, most, take }, start);
  return pageOf(ordered(kinds), { question, scanned, position });
}

/** Adds up the ways of failing of several pages. */
export function mergeErrors(...pages: readonly (readonly ErrorKind[])[]): ErrorKind[] {
  const kinds = new Map<string, ErrorKind>();
  for (const kind of pages.flat()) add(kinds, kind);
  return ordered(kinds);
}

function ordered(kinds: ReadonlyMap<string, ErrorKind>): ErrorKind[] {
  return [...kinds.values()].sort((one, other) => other.count - one.count);
}

function kindOf({ fingerprint, reason, error, deadLetteredAt, id, hidden }: DeadLetterView): ErrorKind {
  const { name, code, message } = error;
  const shown = { name, message, ...(code === undefined ? {} : { code }) };
  return { fingerprint, reason, error: shown, hidden, count: 1, firstSeen: deadLetteredAt, lastSeen: deadLetteredAt, sample: id };
}

function add(kinds: Map<string, ErrorKind>, kind: ErrorKind): void {
  const known = kinds.get(kind.fingerprint);
  if (!known) return void kinds.set(kind.fingerprint, kind);
  const newest = kind.lastSeen >= known.lastSeen ? kind : known;
  const firstSeen = kind.firstSeen < known.firstSeen ? kind.firstSeen : known.firstSeen;
  kinds.set(kind.fingerprint, { ...newest, firstSeen, count: known.count + kind.count });
}
