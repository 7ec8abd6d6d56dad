import { createHash } from 'node:crypto';
import { IsWholeNumber, MillraceError, type TopicDefinition } from '@millrace/core';
import { IsBoolean, IsOptional, Matches } from 'class-validator';
import { AreIds } from '../input/are-ids.js';
import type { Observed } from '../mutate/mutation.js';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';
import { FINGERPRINT } from './fingerprint.js';
import { scanLetters } from './letter-scan.js';
import type { DeadLetterView } from './letter-view.js';

/** `<partition>:<entry id>`. */
export const LETTER_ID = /^\d{1,3}:\d{1,19}-\d{1,19}$/;

/** Dead letters that are looked at to find the selected ones. */
const MOST_SCANNED = 20_000;

/** Which dead letters an action is about: one of `ids`, `fingerprint` and `all`. */
export class LetterSelectionOptions extends MutationOptions {
  /** Ids, 1 to 1,000. */
  @IsOptional() @AreIds(LETTER_ID, "ids must be a list of 1 to 1,000 ids of dead letters, such as ['0:1726000000000-0']")
  ids?: readonly string[];

  /** Those that were given up in this way. */
  @IsOptional() @Matches(FINGERPRINT, { message: 'fingerprint must be one of a dead letter: 16 hex digits' })
  fingerprint?: string;

  /** All of them. */
  @IsOptional() @IsBoolean()
  all?: boolean;

  /** The most of them in one call, the oldest of each partition first, 1 to 10,000. Default 1,000. Ask again for the rest. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  limit?: number = 1_000;
}

export interface SelectedLetters {
  /** Dead letters that are selected, up to the limit. */
  readonly deadLetters: number;
  /** How many were looked at. */
  readonly scanned: number;
  /** Whether all were looked at: if not, there may be more of them. */
  readonly complete: boolean;
}

/** The selected dead letters at a moment. */
export interface SeenLetters extends Observed<SelectedLetters> {
  readonly topic: TopicDefinition;
  readonly ids: readonly string[];
}

type Selection = Pick<LetterSelectionOptions, 'ids' | 'fingerprint' | 'all' | 'limit'>;

/** @throws MillraceError INVALID_OPTIONS unless exactly one of the ways to select is given */
export function assertOneWay({ ids, fingerprint, all }: Selection, where: string): void {
  const ways = [ids !== undefined, fingerprint !== undefined, all === true].filter(Boolean).length;
  if (ways === 1) return;
  throw new MillraceError('INVALID_OPTIONS', `${where}: say which dead letters are meant: ids, fingerprint or all: true, and one of them alone.`);
}

/**
 * Finds the selected dead letters. Those that were added after the dry run are not among them, and leave its confirmation as it
 * is; one that is gone makes it stale.
 */
export async function selectLetters(
  { streams }: UseCaseParts,
  target: GroupTarget,
  { selection, boundary }: { readonly selection: Selection; readonly boundary: string | null },
): Promise<SeenLetters> {
  const topic = await knownGroup(streams.inspector, target);
  const given = selection.ids;
  if (given !== undefined) {
    const ids = [...new Set(given)];
    return { topic, ids, impact: { deadLetters: ids.length, scanned: 0, complete: true }, state: ids };
  }
  const ends = endsIn(boundary, topic.partitions) ?? (await streams.deadLetters.ends(topic, target.group));
  const ids: string[] = [];
  const take = ({ id, fingerprint }: DeadLetterView): boolean => {
    if (selection.fingerprint === undefined || fingerprint === selection.fingerprint) ids.push(id);
    return ids.length < selection.limit!;
  };
  const question = { topic, group: target.group, most: MOST_SCANNED, ends, take };
  const { scanned, position } = await scanLetters(streams.deadLetters, question, null);
  const state = [ids.length, createHash('sha256').update(ids.join(' ')).digest('hex')];
  const impact = { deadLetters: ids.length, scanned, complete: position === null };
  return { topic, ids, impact, state, boundary: ends.map((end) => end ?? '').join(' ') };
}

/** The last dead letters of the partitions, as a confirmation has them; null when it has none. */
function endsIn(boundary: string | null, partitions: number): (string | null)[] | null {
  const ends = boundary?.split(' ') ?? [];
  if (ends.length !== partitions || !ends.every((end) => /^(?:\d{1,19}-\d{1,19})?$/.test(end))) return null;
  return ends.map((end) => (end === '' ? null : end));
}
