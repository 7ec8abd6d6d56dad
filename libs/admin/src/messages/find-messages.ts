import { IsMoment, IsWholeNumber, MillraceError, parseOptions } from '@millrace/core';
import { IsOptional } from 'class-validator';
import { CURSOR_LENGTH, isMoment, partsOf, positionIn, questionOf, type SincePosition, sinceOf } from '../page/cursor.js';
import { pageOf } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import type { TopicTarget } from '../topics/known-topic.js';
import { browseMessages, type MessagePage } from './browse-messages.js';
import { filterName, isOpen, MessageFilter } from './message-filter.js';

const HOUR_MS = 3_600_000;
/** The id of a message begins with the time at which it was made, by the clock of whoever published it. */
const MESSAGE_ID = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The options of `messages.find`: one condition at least. */
export class FindOptions extends MessageFilter {
  /**
   * Messages that were stored since then, by Redis's clock. Default: with an id of Millrace's own form, an hour before the time
   * in it, since clocks differ; else the last hour, by the clock of this process.
   */
  @IsOptional() @IsMoment()
  since?: Date;

  /** Entries that are read for a page at the most, 1 to 10,000. Default 2,000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  mostEntries?: number = 2_000;
}

/** A page of a search. */
export interface FoundPage extends MessagePage {
  /** Since when it looks: nothing is said of messages from before. */
  readonly since: Date;
}

interface FindPosition extends SincePosition {
  /** The cursor of `messages.browse`. */
  readonly cursor: string;
}

/**
 * Looks for messages by their ids, keys, headers, texts or parts.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_CURSOR, UNKNOWN_TOPIC; FORBIDDEN for a search in what is not shown
 */
export async function findMessages(parts: UseCaseParts, target: TopicTarget, options: FindOptions): Promise<FoundPage> {
  const { since: given, cursor, ...wanted }: FindOptions = parseOptions(FindOptions, options, 'messages.find()');
  if (isOpen(wanted)) throw new MillraceError('INVALID_OPTIONS', 'messages.find(): say what to look for: id, key, type, headers, text or where.');
  parts.mask.assertMayLookFor(wanted, 'messages.find()');
  const question = questionOf('find', target.topic, filterName(wanted));
  const start = positionIn(cursor, question, isPosition);
  const since = sinceOf(start, given) ?? new Date((madeAt(wanted.id) ?? Date.now()) - HOUR_MS);
  const page = await browseMessages(parts, target, { ...wanted, from: since, cursor: start?.cursor });
  const position = page.nextCursor === null ? null : { since: since.getTime(), cursor: page.nextCursor };
  return { ...page, ...pageOf(page.items, { question, scanned: page.scanned, position }), since };
}

function isPosition(value: unknown): value is FindPosition {
  const { since, cursor } = partsOf(value) ?? {};
  return isMoment(since) && typeof cursor === 'string' && cursor.length > 0 && cursor.length <= CURSOR_LENGTH;
}

function madeAt(id: string | undefined): number | null {
  const [, high, low] = MESSAGE_ID.exec(id ?? '') ?? [];
  return high === undefined || low === undefined ? null : Math.max(HOUR_MS, Number.parseInt(high + low, 16));
}
