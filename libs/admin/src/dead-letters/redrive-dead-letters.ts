import { setTimeout as wait } from 'node:timers/promises';
import { asError, isMillraceError, IsWholeNumber, parseOptions } from '@millrace/core';
import type { RedriveResult } from '@millrace/streams';
import { IsOptional } from 'class-validator';
import type { Mutation } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import type { GroupTarget } from '../topics/known-topic.js';
import { assertOneWay, LetterSelectionOptions, type SeenLetters, type SelectedLetters, selectLetters } from './letter-selection.js';

/** Dead letters that are redriven in one step: a hundred of a few KB hold Redis up for more than 5 ms. */
const A_STEP = 20;

/** The options of `deadLetters.redrive`. */
export class RedriveDeadLettersOptions extends LetterSelectionOptions {
  /** How many a second at the most, 1 to 100,000. Default: no limit. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 100_000 })
  rate?: number;
}

/** `missing`: not there, as when another operator redrove it; `failed`: it may be where it was, as are those behind it. */
export type RedriveOutcome = 'redriven' | 'missing' | 'unreadable' | 'failed' | 'not tried';

export interface LettersRedriven {
  readonly redriven: number;
  /** By dead letter. */
  readonly items: readonly { readonly id: string; readonly outcome: RedriveOutcome }[];
  /** The failure that ended it before its end; null when it came to its end. */
  readonly failure: { readonly code: string | null; readonly message: string } | null;
}

/**
 * Puts dead letters back to the group that gave them up, as first attempts: each once, however many operators ask for it. One
 * that selects by a fingerprint, or all, needs the confirmation of its dry run.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP, CONFIRMATION_REQUIRED, CONFIRMATION_STALE,
 *   AUDIT_FAILED
 */
export async function redriveDeadLetters(
  parts: UseCaseParts,
  { topic, group }: GroupTarget,
  options: RedriveDeadLettersOptions,
): Promise<Mutation<SelectedLetters, LettersRedriven>> {
  const parsed: RedriveDeadLettersOptions = parseOptions(RedriveDeadLettersOptions, options, 'deadLetters.redrive()');
  const { ids, fingerprint, all, limit, rate, ...terms } = parsed;
  const selection = { ids, fingerprint, all, limit };
  assertOneWay(selection, 'deadLetters.redrive()');
  return parts.mutations.run<SelectedLetters, LettersRedriven, SeenLetters>(
    {
      name: 'deadLetters.redrive', target: { topic, group }, terms: { ...selection, rate }, isDestructive: ids === undefined,
      observe: (boundary) => selectLetters(parts, { topic, group }, { selection, boundary }),
      apply: (seen) => redriveAll(parts, group, { seen, rate }),
      isPartial: ({ items }) => items.some(({ outcome }) => outcome !== 'redriven'),
    },
    terms,
  );
}

interface Wish {
  readonly seen: SeenLetters;
  readonly rate: number | undefined;
}

async function redriveAll({ streams }: UseCaseParts, group: string, { seen, rate }: Wish): Promise<LettersRedriven> {
  const { topic, ids } = seen;
  const outcomes = new Map<string, RedriveOutcome>(ids.map((id) => [id, 'not tried']));
  let [redriven, failure]: [number, LettersRedriven['failure']] = [0, null];
  const size = Math.min(A_STEP, rate ?? A_STEP);
  for (let from = 0; from < ids.length && failure === null; from += size) {
    const step = ids.slice(from, from + size);
    if (from > 0 && rate !== undefined) await wait((step.length / rate) * 1_000);
    try {
      const result = await streams.deadLetters.redrive(topic, group, { ids: step });
      redriven += result.redriven;
      for (const id of step) outcomes.set(id, outcomeOf(id, result));
    } catch (thrown) {
      failure = failureOf(asError(thrown));
      for (const id of step) outcomes.set(id, 'failed');
    }
  }
  const items = [...outcomes].map(([id, outcome]) => ({ id, outcome }));
  return { redriven, items, failure };
}

function outcomeOf(id: string, { missing, unreadable }: RedriveResult): RedriveOutcome {
  if (missing.includes(id)) return 'missing';
  return unreadable.includes(id) ? 'unreadable' : 'redriven';
}

function failureOf(error: Error): LettersRedriven['failure'] {
  return { code: isMillraceError(error) ? error.code : null, message: error.message };
}
