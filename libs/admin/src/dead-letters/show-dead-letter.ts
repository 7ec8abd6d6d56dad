import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';
import { fingerprintOf } from './fingerprint.js';
import type { DeadLetterView } from './letter-scan.js';

/**
 * One dead letter by its id; null when it is not there (any more).
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP
 */
export async function showDeadLetter({ streams }: UseCaseParts, target: GroupTarget, id: string): Promise<DeadLetterView | null> {
  const topic = await knownGroup(streams.inspector, target);
  const [found] = await streams.deadLetters.list(topic, target.group, { ids: [id] });
  return found ? { ...found, fingerprint: fingerprintOf(found) } : null;
}
