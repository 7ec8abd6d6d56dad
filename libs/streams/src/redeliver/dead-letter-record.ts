import type { ErrorRecord, GiveUpReason, Message } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { deadLetterId, type DeadLetterReason } from '../consume/dead-letter-reason.js';
import { groupKeys } from '../keys.js';
import { readEntries } from '../log/read-entries.js';
import { isEnvelope, messageOfEnvelope } from '../log/envelope.js';
import type { Place } from '../log/topic-log.js';
import { fieldsShown, reasonIn, writtenAt } from './stored-dead-letter.js';

/** Most dead letters that are read in one call. */
export const PAGE = 100;

/** The reason of an entry in the stream that is no dead letter, or is damaged. */
export const UNREADABLE = 'UNREADABLE';

/** A message that a group gave up, and why. */
export interface DeadLetterRecord extends Pick<DeadLetterReason, 'attempts' | 'crashes' | 'origin'> {
  /** `<partition>:<entry id>`: unique among the dead letters of a group on a topic. */
  readonly id: string;
  /** `UNREADABLE` for an entry that Millrace did not write, or that is damaged: it can be discarded, and not redriven. */
  readonly reason: GiveUpReason | typeof UNREADABLE;
  readonly error: ErrorRecord;
  /** Null when the message does not say. */
  readonly publishedAt: Date | null;
  readonly firstFailedAt: Date;
  readonly deadLetteredAt: Date;
  /** How often the message had been redriven before it was given up this time. */
  readonly redriven: number;
  /** Null when the entry holds no message. */
  readonly messageId: string | null;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed, as it was stored: no instance of the topic's class. Where there is no message, the text in its place. */
  readonly payload: unknown;
  /** The message exactly as it was stored. */
  readonly envelope: string;
  /** Only where the entry is unreadable: names and values of its fields, 20 at the most, each cut off after 2,000 characters. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
}

export interface Page {
  /** The entry id after which to begin. */
  readonly after: string;
  /** The last entry id wanted; `'+'` for the end. */
  readonly until: string;
  readonly limit: number;
}

/** A group in one partition, whose dead letters are meant. */
export interface DeadLetterPlace extends Place {
  readonly prefix: string;
  readonly group: string;
}

/** Dead letters of one partition, the oldest first. */
export async function readDeadLetters(redis: Topology, place: DeadLetterPlace, page: Page): Promise<DeadLetterRecord[]> {
  const { after, until, limit } = page;
  const { dead } = groupKeys(place.prefix, place, place.group);
  const entries = (await redis.controlFor(dead).call('XRANGE', dead, `(${after}`, until, 'COUNT', limit)) as [string, string[]][];
  return entries.map(([entry, fields]) => recordOf(place, entry, fields));
}

/** The oldest dead letters of one partition, up to `limit`, read in pages: each may be as large as a message. */
export async function readOldest(redis: Topology, place: DeadLetterPlace, limit: number): Promise<DeadLetterRecord[]> {
  const found: DeadLetterRecord[] = [];
  for (let after = '0-0'; found.length < limit; after = entryOf(found.at(-1)!.id)) {
    const page = await readDeadLetters(redis, place, { after, until: '+', limit: Math.min(PAGE, limit - found.length) });
    found.push(...page);
    if (page.length < PAGE) break;
  }
  return found;
}

/** A dead letter by its entry id, or null when it is not there (any more). */
export async function readDeadLetter(
  redis: Topology,
  place: DeadLetterPlace,
  entry: string,
): Promise<DeadLetterRecord | null> {
  const { dead } = groupKeys(place.prefix, place, place.group);
  const [found] = (await redis.controlFor(dead).call('XRANGE', dead, entry, entry)) as [string, string[]][];
  return found ? recordOf(place, entry, found[1]) : null;
}

/** A part of the dead letters of a partition. */
export interface DeadLetterRange {
  readonly partition: number;
  /** The entry id after which to begin: `'0-0'` for the beginning. */
  readonly after: string;
  /** The last entry id wanted; `'+'` for the end. */
  readonly until: string;
  /** The most that are read. */
  readonly limit: number;
}

export interface DeadLetterPage {
  readonly records: readonly DeadLetterRecord[];
  /** Whether there are no more of them in the range. */
  readonly isEnd: boolean;
}

/** Dead letters of one partition, the oldest first, as many as one call may read: each may be as large as a message. */
export async function readBounded(redis: Topology, place: DeadLetterPlace, range: DeadLetterRange): Promise<DeadLetterPage> {
  const { dead } = groupKeys(place.prefix, place, place.group);
  const { entries, isEnd } = await readEntries(redis.controlFor(dead), dead, { from: `(${range.after}`, to: range.until, most: range.limit });
  return { records: entries.map(([entry, fields]) => recordOf(place, entry, fields)), isEnd };
}

/** The entry id of the last dead letter in one partition; null when there is none. */
export async function readEnd(redis: Topology, place: DeadLetterPlace): Promise<string | null> {
  const { dead } = groupKeys(place.prefix, place, place.group);
  const [last] = (await redis.controlFor(dead).call('XREVRANGE', dead, '+', '-', 'COUNT', 1)) as [string][];
  return last?.[0] ?? null;
}

/** How many dead letters there are in one partition. */
export async function countDeadLetters(redis: Topology, place: DeadLetterPlace): Promise<number> {
  const { dead } = groupKeys(place.prefix, place, place.group);
  return Number(await redis.controlFor(dead).call('XLEN', dead));
}

/** The entry of a dead letter by its id. */
export function entryOf(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}

function recordOf(place: DeadLetterPlace, entry: string, fields: readonly string[]): DeadLetterRecord {
  const { envelope, reason } = reasonIn(fields);
  if (envelope === undefined || reason === null) return unreadable(place, entry, fields);
  const { publishedAt, firstFailedAt, deadLetteredAt } = reason;
  return {
    ...reason,
    id: deadLetterId(place.partition, entry),
    publishedAt: publishedAt === null ? null : new Date(publishedAt),
    firstFailedAt: new Date(firstFailedAt),
    deadLetteredAt: new Date(deadLetteredAt),
    ...contentOf(envelope),
  };
}

type Content = Pick<DeadLetterRecord, 'redriven' | 'messageId' | 'key' | 'headers' | 'payload' | 'envelope'>;

function contentOf(envelope: string): Content {
  const { id, key, headers, payload, redrive }: Message = messageOfEnvelope(envelope);
  return { redriven: redrive?.times ?? 0, messageId: id || null, key, headers, payload, envelope };
}

const NO_CONTENT: Content = { redriven: 0, messageId: null, key: null, headers: {}, payload: null, envelope: '' };

function unreadable({ topic, partition, group }: DeadLetterPlace, entry: string, fields: readonly string[]): DeadLetterRecord {
  const at = writtenAt(entry);
  const { envelope } = reasonIn(fields);
  const message = 'This entry is no dead letter that Millrace wrote, or it is damaged. It can be discarded, and not redriven.';
  return {
    id: deadLetterId(partition, entry),
    reason: UNREADABLE,
    error: { name: 'MillraceError', code: 'MALFORMED_ENVELOPE', message },
    attempts: 0,
    crashes: 0,
    publishedAt: null,
    firstFailedAt: at,
    deadLetteredAt: at,
    origin: { topic, partition, offset: -1, group },
    ...(envelope !== undefined && isEnvelope(envelope) ? contentOf(envelope) : NO_CONTENT),
    fields: fieldsShown(fields),
  };
}
