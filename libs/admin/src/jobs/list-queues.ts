import { isName, parseOptions } from '@millrace/core';
import type { QueueDirectory } from '@millrace/jobs';
import { partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { JobParts } from './job-parts.js';
import { listedQueue, type QueueSummary } from './queue-summary.js';

/** Looks for one page, of a thousand keys each. */
const MOST_LOOKS = 20;

/** Those of this process come before the first look. */
const OWN = 'own';
const FIRST_LOOK = '0';

const QUESTION = questionOf('queues');

/** A look, and the last of its queues that were given. */
interface Position {
  readonly look: string;
  readonly after: string;
}

/**
 * The queues of this process by their names, then the others that Redis has, as they are found: a queue has no entry but its own
 * keys, so a page looks at 20,000 keys at the most, and may have none. A queue may be on two pages.
 *
 * @throws MillraceError INVALID_OPTIONS, INVALID_CURSOR
 */
export async function listQueues({ queues }: JobParts, options: PageOptions = {}): Promise<Page<QueueSummary>> {
  const { limit, cursor } = parseOptions(PageOptions, options, 'jobs.list()');
  const start = positionIn(cursor, QUESTION, isPosition) ?? { look: OWN, after: '' };
  const { names, scanned, position } = await namesFrom(queues, start, limit);
  const items = await Promise.all(names.map((name) => listedQueue({ queues }, name)));
  return pageOf(items, { question: QUESTION, scanned, position });
}

interface Names {
  readonly names: readonly string[];
  /** Entries of queues that were found, those of the process and those that an earlier page has included. */
  readonly scanned: number;
  readonly position: Position | null;
}

async function namesFrom(queues: QueueDirectory, start: Position, limit: number): Promise<Names> {
  const names: string[] = [];
  let [at, scanned]: [Position, number] = [start, 0];
  for (let looks = 0; looks < MOST_LOOKS && names.length < limit; looks += 1) {
    const found = await lookAt(queues, at.look);
    const fresh = found.names.filter((name) => name > at.after && !names.includes(name));
    const taken = fresh.slice(0, limit - names.length);
    names.push(...taken);
    scanned += found.names.length;
    if (taken.length < fresh.length) at = { ...at, after: taken.at(-1)! };
    else if (found.next === null) return { names, scanned, position: null };
    else at = { look: found.next, after: '' };
  }
  return { names, scanned, position: at };
}

interface Looked {
  readonly names: readonly string[];
  readonly next: string | null;
}

async function lookAt(queues: QueueDirectory, look: string): Promise<Looked> {
  const own = [...queues.ownNames].sort();
  if (look === OWN) return { names: own, next: FIRST_LOOK };
  const { names, next } = await queues.look(look);
  return { names: names.filter((name) => !own.includes(name)), next };
}

function isPosition(value: unknown): value is Position {
  const { look, after } = partsOf(value) ?? {};
  const isLook = look === OWN || (typeof look === 'string' && /^\d{1,20}$/.test(look));
  return isLook && (after === '' || isName(after));
}
