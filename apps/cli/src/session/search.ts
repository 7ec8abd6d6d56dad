import type { FoundPage, TracePage } from '@millrace/admin';
import { type Duration, durationMs } from '@millrace/core';
import { CliError } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import type { Question, Session } from './session.js';

const PAGE = 500;
const MOST_ENTRIES = 10_000;

export interface Looking extends Question {
  /** Most items. */
  readonly limit: number;
  readonly within: Duration;
}

/** The answer of a search: its findings, and how far it came. */
export interface Found<P extends FoundPage | TracePage> {
  readonly items: readonly JsonOf<P['items'][number]>[];
  readonly scanned: number;
  /** Whether all was looked at: if not, there may be more of them. */
  readonly complete: boolean;
  readonly nextCursor: string | null;
  /** Since when it looked: nothing is said of messages from before. */
  readonly since: string;
}

type Progress = Pick<Found<FoundPage>, 'scanned' | 'complete' | 'since'> & { readonly items: readonly unknown[] };

/** Looks until it has found as many as are wanted, all was looked at, or the time is up. */
export async function search<P extends FoundPage | TracePage>(session: Session, looking: Looking): Promise<Found<P>> {
  const end = performance.now() + durationMs(looking.within);
  let found = await pageOf<P>(session, looking, null);
  while (!found.complete && found.items.length < looking.limit && performance.now() < end && !session.signal.aborted) {
    progress(session, found);
    const page = await pageOf<P>(session, looking, found);
    found = { ...page, items: [...found.items, ...page.items], scanned: found.scanned + page.scanned };
  }
  if (session.surroundings.stderr.isTTY) session.output.aside('\r\u001B[K');
  return found;
}

/**
 * Says how far a search came.
 *
 * @throws CliError PARTIAL when the time was up before all was looked at
 */
export function tellSearched({ output }: Session, { items, scanned, complete, since }: Progress, limit: number): void {
  const looked = `${scanned.toLocaleString('en-US')} messages since ${since}`;
  if (complete) {
    if (output.isForPeople) output.note(`Looked at all ${looked}.`);
    return;
  }
  if (items.length >= limit) return output.note(`Looked at ${looked} until there were as many as --limit says: there may be more.`);
  throw new CliError('PARTIAL', `The time was up when ${looked} had been looked at, so there may be more. Look for longer with --for, or at less with --since.`);
}

async function pageOf<P extends FoundPage | TracePage>(
  session: Session,
  looking: Looking,
  before: Found<P> | null,
): Promise<Found<P>> {
  const { operation, target, options, limit } = looking;
  const going = before === null ? {} : { cursor: before.nextCursor };
  const bounds = { limit: Math.min(PAGE, limit - (before?.items.length ?? 0)), mostEntries: MOST_ENTRIES };
  return (await session.operator.run(operation, target, { ...options, ...going, ...bounds })) as unknown as Found<P>;
}

function progress({ output, surroundings }: Session, { scanned, items }: Progress): void {
  if (!surroundings.stderr.isTTY) return;
  output.aside(`\rlooked at ${scanned.toLocaleString('en-US')} messages, found ${items.length} `);
}
