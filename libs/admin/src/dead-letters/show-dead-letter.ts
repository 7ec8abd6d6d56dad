import { MillraceError, quote } from '@millrace/core';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';
import { LETTER_ID } from './letter-selection.js';
import { type DeadLetterView, letterViewOf } from './letter-view.js';

/**
 * One dead letter by its id; null when it is not there (any more).
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP
 */
export async function showDeadLetter(
  { streams, mask }: UseCaseParts,
  target: GroupTarget,
  id: string,
): Promise<DeadLetterView | null> {
  if (typeof id !== 'string' || !LETTER_ID.test(id)) throw noId(id);
  const topic = await knownGroup(streams.inspector, target);
  const [found] = await streams.deadLetters.list(topic, target.group, { ids: [id] });
  return found ? mask.letter(letterViewOf(found)) : null;
}

function noId(id: unknown): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `deadLetters.show(): ${quote(id)} is no id of a dead letter, such as '0:1726000000000-0'.`);
}
