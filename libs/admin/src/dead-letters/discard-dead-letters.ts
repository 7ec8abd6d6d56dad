import { parseOptions } from '@millrace/core';
import type { Mutation } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import type { GroupTarget } from '../topics/known-topic.js';
import { assertOneWay, LetterSelectionOptions, type SeenLetters, type SelectedLetters, selectLetters } from './letter-selection.js';

/** Dead letters that are removed in one step. */
const A_STEP = 100;

export interface LettersDiscarded {
  readonly discarded: number;
  /** Those of the selected ones that were not there any more. */
  readonly missing: number;
}

/**
 * Removes dead letters for good. Each selection needs the confirmation of its dry run.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP, CONFIRMATION_REQUIRED, CONFIRMATION_STALE,
 *   AUDIT_FAILED
 */
export async function discardDeadLetters(
  parts: UseCaseParts,
  { topic, group }: GroupTarget,
  options: LetterSelectionOptions,
): Promise<Mutation<SelectedLetters, LettersDiscarded>> {
  const parsed: LetterSelectionOptions = parseOptions(LetterSelectionOptions, options, 'deadLetters.discard()');
  const { ids, fingerprint, all, limit, ...terms } = parsed;
  const selection = { ids, fingerprint, all, limit };
  assertOneWay(selection, 'deadLetters.discard()');
  return parts.mutations.run<SelectedLetters, LettersDiscarded, SeenLetters>(
    {
      name: 'deadLetters.discard', target: { topic, group }, terms: selection, isDestructive: true,
      observe: (boundary) => selectLetters(parts, { topic, group }, { selection, boundary }),
      apply: (seen) => discardAll(parts, group, seen),
      isPartial: ({ missing }) => missing > 0,
    },
    terms,
  );
}

async function discardAll({ streams }: UseCaseParts, group: string, { topic, ids }: SeenLetters): Promise<LettersDiscarded> {
  let discarded = 0;
  for (let from = 0; from < ids.length; from += A_STEP) {
    discarded += (await streams.deadLetters.discard(topic, group, { ids: ids.slice(from, from + A_STEP) })).discarded;
  }
  return { discarded, missing: ids.length - discarded };
}
