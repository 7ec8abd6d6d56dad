import { IsWholeNumber, parseOptions } from '@millrace/core';
import { IsOptional, Matches } from 'class-validator';
import { positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import { MOST_BYTES } from '../messages/scan.js';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';
import { FINGERPRINT } from './fingerprint.js';
import { isLetterPosition, scanLetters } from './letter-scan.js';
import type { DeadLetterView } from './letter-view.js';

/** The options of `deadLetters.browse`. */
export class BrowseDeadLettersOptions extends PageOptions {
  /** Dead letters that were given up in this way. Default: all. */
  @IsOptional() @Matches(FINGERPRINT, { message: 'fingerprint must be one of a dead letter: 16 hex digits' })
  fingerprint?: string;

  /** Dead letters that are looked at for a page at the most, 1 to 10,000. Default 1,000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  most?: number = 1_000;
}

/**
 * The dead letters of a group, partition by partition, the oldest first.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_CURSOR, UNKNOWN_TOPIC, UNKNOWN_GROUP
 */
export async function browseDeadLetters(
  { streams, mask }: UseCaseParts,
  target: GroupTarget,
  options: BrowseDeadLettersOptions = {},
): Promise<Page<DeadLetterView>> {
  const parsed: BrowseDeadLettersOptions = parseOptions(BrowseDeadLettersOptions, options, 'deadLetters.browse()');
  const { fingerprint, most, limit, cursor } = parsed;
  const question = questionOf('dead letters', target.topic, target.group, fingerprint);
  const start = positionIn(cursor, question, isLetterPosition);
  const topic = await knownGroup(streams.inspector, target);
  const items: DeadLetterView[] = [];
  let bytes = 0;
  const take = (letter: DeadLetterView): boolean => {
    if (fingerprint === undefined || letter.fingerprint === fingerprint) {
      items.push(mask.letter(letter));
      bytes += Buffer.byteLength(letter.envelope ?? '');
    }
    return items.length < limit! && bytes < MOST_BYTES;
  };
  const { scanned, position } = await scanLetters(streams.deadLetters, { topic, group: target.group, most: most!, take }, start);
  return pageOf(items, { question, scanned, position });
}
