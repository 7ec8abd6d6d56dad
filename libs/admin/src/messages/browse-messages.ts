import { IsMoment, IsPosition, IsWholeNumber, MillraceError, parseOptions, type Position } from '@millrace/core';
import { IsIn, IsOptional } from 'class-validator';
import type { LogReader } from '@millrace/streams';
import { positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { knownTopic, type TopicTarget } from '../topics/known-topic.js';
import { filterName, MessageFilter } from './message-filter.js';
import type { MessageView } from './message-view.js';
import { isNewestPosition, NewestScan } from './newest-scan.js';
import { isScanPosition, Scan, type Scanned, type ScanQuestion } from './scan.js';

/** The options of `messages.browse`. */
export class BrowseOptions extends MessageFilter {
  /**
   * `'oldest'`: partition by partition, each from its oldest message on. `'newest'`: of all partitions the newest first, by the
   * time at which they were stored, down to `from`. Default `'oldest'`.
   */
  @IsOptional() @IsIn(['oldest', 'newest'])
  order?: 'oldest' | 'newest' = 'oldest';

  /** The first message: `'earliest'`, a `Date` by Redis's clock, or `{ offset: 42 }` in each partition. Default `'earliest'`. */
  @IsOptional() @IsPosition()
  from?: Position = 'earliest';

  /** Messages that were stored up to this moment, by Redis's clock. Default: up to the end. */
  @IsOptional() @IsMoment()
  until?: Date;

  /** One partition alone. Default: all, one after the other. */
  @IsOptional() @IsWholeNumber({ min: 0, max: 255 })
  partition?: number;

  /** Entries that are read for a page at the most, 1 to 10,000; newest first one more a partition. Default 2,000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  mostEntries?: number = 2_000;
}

/** A page of messages. */
export interface MessagePage extends Page<MessageView> {
  /**
   * Messages between those of this page, or since the page before, that are gone from Redis: no page has them. Newest first:
   * those between two of one partition that this page looked at.
   */
  readonly gone: number;
}

/**
 * The messages of a topic that fit the filter, in the order that is asked for. Nothing is said of messages behind a page that is
 * not complete. Newest first, a message that is stored after a page is in none of those that follow it.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_CURSOR, UNKNOWN_TOPIC; FORBIDDEN for a search in what is not shown
 */
export async function browseMessages(
  { streams, mask }: UseCaseParts,
  { topic: name }: TopicTarget,
  options: BrowseOptions = {},
): Promise<MessagePage> {
  const parsed: BrowseOptions = parseOptions(BrowseOptions, options, 'messages.browse()');
  const { from, until = null, partition, limit, mostEntries, order } = parsed;
  mask.assertMayLookFor(parsed, 'messages.browse()');
  const question = questionOf('messages', name, from, until, partition, filterName(parsed), order);
  const pageFrom = startOf(parsed, question);
  const topic = await knownTopic(streams.inspector, name);
  if (partition !== undefined && partition >= topic.partitions) throw noPartition(name, partition);
  const wanted = { topic, partition, from: from!, until, filter: parsed, mask, limit: limit!, mostEntries: mostEntries! };
  const { items, scanned, gone, position } = await pageFrom(streams.reader, wanted);
  return { ...pageOf(items, { question, scanned, position }), gone };
}

type ReadPage = (reader: LogReader, wanted: ScanQuestion) => Promise<Scanned>;

/** Reads the page behind a cursor. */
function startOf({ cursor, order }: BrowseOptions, question: string): ReadPage {
  if (order === 'newest') {
    const start = positionIn(cursor, question, isNewestPosition);
    return (reader, wanted) => new NewestScan(reader, wanted).page(start);
  }
  const start = positionIn(cursor, question, isScanPosition);
  return (reader, wanted) => new Scan(reader, wanted).page(start);
}

export function noPartition(topic: string, partition: number): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `partition: topic '${topic}' has no partition ${partition}.`);
}
