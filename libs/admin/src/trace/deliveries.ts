import type { TopicDefinition } from '@millrace/core';
import type { DeliveryStep } from '@millrace/streams';
import type { MessageView } from '../messages/message-view.js';
import type { UseCaseParts } from '../parts.js';

/** Dead letters of a group that are looked at in a partition, from the oldest message of the page on. */
const MOST_LETTERS = 500;
/** Messages times groups that are looked at for a page. */
const MOST_LOOKS = 2_000;

/** The state of a message in a group. */
export interface Delivery {
  readonly group: string;
  /**
   * - `skipped`: the group began, or went by a seek, behind it; `waiting`: it was not delivered yet; `pending`: a member holds it
   * - `retrying`: it waits for another attempt, or is in one; `parked`: it is put aside until an operator releases its key
   * - `settled`: handled, discarded, filtered or expired; `dead-lettered`: given up
   * - `done`: settled or dead-lettered: more dead letters have come since than are looked at
   * - `unknown`: none of these is known, as after Redis has lost something
   */
  readonly state: Exclude<DeliveryStep, 'done'> | 'settled' | 'dead-lettered' | 'done';
  /** The member that holds it; null when none does, or it is not known. */
  readonly member: string | null;
  /** The number of the attempt that it waits for; null when it waits for none. */
  readonly attempt: number | null;
  /** The id of its dead letter; null when it has none, or none was found. */
  readonly deadLetter: string | null;
}

interface Letters {
  /** By offset, the id of the last one. */
  readonly ids: ReadonlyMap<number, string>;
  readonly isComplete: boolean;
}

/**
 * The state of some messages of a topic in each group, in their order; null for one whose place is not known, or that is
 * behind the most that are looked at.
 */
export async function deliveriesOf(
  { inspector, deadLetters }: UseCaseParts['streams'],
  topic: TopicDefinition,
  messages: readonly MessageView[],
): Promise<(readonly Delivery[] | null)[]> {
  const groups = messages.length === 0 ? [] : (await inspector.groups(topic)).map(({ name }) => name);
  const known = new Map<string, Promise<Letters>>();
  const lettersOf = (group: string, partition: number): Promise<Letters> => {
    const name = `${partition} ${group}`;
    const since = Math.min(...messages.filter((one) => one.partition === partition).map(({ storedAt }) => storedAt.getTime()));
    const letters = known.get(name) ?? readLetters(deadLetters, topic, { group, partition, since });
    known.set(name, letters);
    return letters;
  };
  const looked = async (message: MessageView, group: string): Promise<Delivery> => {
    const { partition, entry, key } = message;
    const offset = message.offset!;
    const { step, ...rest } = await inspector.delivery(topic, group, { partition, offset, entry, key });
    if (step !== 'done') return { group, state: step, ...rest, deadLetter: null };
    const { ids, isComplete } = await lettersOf(group, partition);
    const deadLetter = ids.get(offset) ?? null;
    return { group, state: deadLetter !== null ? 'dead-lettered' : isComplete ? 'settled' : 'done', ...rest, deadLetter };
  };
  const all: (readonly Delivery[] | null)[] = [];
  for (const message of messages) {
    const isTooMuch = message.offset === null || (all.length + 1) * groups.length > MOST_LOOKS;
    all.push(isTooMuch ? null : await Promise.all(groups.map((group) => looked(message, group))));
  }
  return all;
}

interface LetterPlace {
  readonly group: string;
  readonly partition: number;
  /** Unix milliseconds. */
  readonly since: number;
}

/** A message is given up after it was stored, and the id of a dead letter has the time at which it was written. */
async function readLetters(
  deadLetters: UseCaseParts['streams']['deadLetters'],
  topic: TopicDefinition,
  { group, partition, since }: LetterPlace,
): Promise<Letters> {
  const ids = new Map<number, string>();
  let after = `${Math.max(0, since - 1)}-0`;
  for (let left = MOST_LETTERS; left > 0; ) {
    const { records, isEnd } = await deadLetters.page(topic, group, { partition, after, until: '+', limit: Math.min(100, left) });
    for (const { id, origin } of records) if (origin.partition === partition) ids.set(origin.offset, id);
    if (isEnd) return { ids, isComplete: true };
    left -= records.length;
    after = records.at(-1)!.id.slice(records.at(-1)!.id.indexOf(':') + 1);
  }
  return { ids, isComplete: false };
}
