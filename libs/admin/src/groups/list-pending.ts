import { parseOptions } from '@millrace/core';
import type { GroupState, PendingMessage, PendingPage, PendingStream } from '@millrace/streams';
import { isCount, isEntryId, partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';

/** Entries that one call looks at, and a page, at the most. */
const [A_CALL, MOST_ENTRIES] = [100, 1_000];

const BEGINNING = '0-0';

/** How far a list has come. */
interface PendingPosition {
  readonly partition: number;
  readonly stream: PendingStream;
  /** The last entry that is done with. */
  readonly after: string;
  /** The next offset of the log: of the entry behind that, messages before it are done with. */
  readonly next: number;
}

/**
 * The messages that members of a group hold, partition by partition: first attempts in the order of the log, then later ones.
 * `scanned` counts entries, which have up to 16 messages. A message whose handling ends, or that is taken over, between two pages
 * may be missing in both.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_CURSOR, UNKNOWN_TOPIC, UNKNOWN_GROUP, STATE_LOST
 */
export async function listPending(
  { streams: { inspector } }: UseCaseParts,
  target: GroupTarget,
  options: PageOptions = {},
): Promise<Page<PendingMessage>> {
  const { limit, cursor }: PageOptions = parseOptions(PageOptions, options, 'groups.pending()');
  const question = questionOf('pending', target.topic, target.group);
  const start = positionIn(cursor, question, isPosition);
  const topic = await knownGroup(inspector, target);
  const states = await inspector.partitions(topic, target.group);
  // It says which group is missing, and what its name may be.
  if (states.includes(null)) await inspector.group(topic, target.group);
  const items: PendingMessage[] = [];
  let scanned = 0;
  let position = heldFrom(states, start ?? beginningOf(0));
  while (position !== null && items.length < limit && scanned < MOST_ENTRIES) {
    const room = limit - items.length;
    const page = await inspector.pending(topic, target.group, { ...position, most: Math.min(A_CALL, room) });
    const found = page.items.filter(isNotBefore(position));
    items.push(...found.slice(0, room));
    scanned += page.entries;
    position = found.length > room ? within(page, found[room]!, position) : heldFrom(states, behind(page, position));
  }
  return pageOf(items, { question, scanned, position });
}

function beginningOf(partition: number): PendingPosition {
  return { partition, stream: 'log', after: BEGINNING, next: 0 };
}

/** Offsets grow from entry to entry of the log. An entry of the other stream has one message. */
function isNotBefore({ stream, next }: PendingPosition): (message: PendingMessage) => boolean {
  return ({ offset }) => stream === 'again' || offset === null || offset >= next;
}

/** The position of a message of a page, whose entry may begin before it. */
function within({ items }: PendingPage, { entry, offset }: PendingMessage, position: PendingPosition): PendingPosition {
  const first = items.findIndex((message) => message.entry === entry);
  return { ...position, after: items[first - 1]?.entry ?? position.after, next: offset ?? position.next };
}

function behind({ last, isEnd }: PendingPage, position: PendingPosition): PendingPosition {
  if (!isEnd) return { ...position, after: last };
  return position.stream === 'log' ? { ...position, stream: 'again', after: BEGINNING } : beginningOf(position.partition + 1);
}

/** The position, or the beginning of the next partition of which members hold something; null at the end. */
function heldFrom(states: readonly (GroupState | null)[], position: PendingPosition): PendingPosition | null {
  const partition = states.findIndex((state, index) => index >= position.partition && state?.pending !== 0);
  if (partition === -1) return null;
  return partition === position.partition ? position : beginningOf(partition);
}

function isPosition(value: unknown): value is PendingPosition {
  const parts = partsOf(value);
  const isStream = parts?.['stream'] === 'log' || parts?.['stream'] === 'again';
  return isStream && isCount(parts['partition']) && isEntryId(parts['after']) && isCount(parts['next']);
}
