import type { Mutation, Target } from '@millrace/admin';
import { CliError } from '../failure/cli-error.js';
import type { JsonOf, OperationOptions } from '../operator/operator.js';
import { type Column, recordText } from '../output/table.js';
import { lineToRun } from './line-to-run.js';
import type { Session } from './session.js';
import { typedLine } from './typed-line.js';

/** A part of an effect that has lines of its own. */
interface Part {
  readonly title: string;
  readonly items: readonly unknown[];
  readonly columns: readonly Column<never>[];
}

/** A command that changes something. */
export interface ActionPlan<Impact, Result> {
  readonly operation: string;
  readonly target: Target;
  readonly options?: OperationOptions;
  /** The name that a person types before something is done that cannot be undone. */
  readonly name: string;
  readonly impact: readonly Column<JsonOf<Impact>>[];
  /** Parts of what is asked for that the effect is shown with: in JSON beside it. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Throws where it would be refused, with advice that the command line has. */
  readonly assert?: (impact: JsonOf<Impact>) => void;
  /** A sentence about the way in which it is done; null for none. */
  readonly note?: (impact: JsonOf<Impact>) => string | null;
  readonly parts?: (impact: JsonOf<Impact>) => readonly Part[];
  readonly result: readonly Column<JsonOf<Result>>[];
  /** A sentence about the rest that was left undone, where the action may be done in part. */
  readonly left?: (result: JsonOf<Result>) => string;
}

/** A part of an effect, with its columns. */
export function part<T>(title: string, items: readonly T[], columns: readonly Column<T>[]): Part {
  return { title, items, columns };
}

/**
 * Shows the effect of an action and stops, or does it with `--execute`: at once with the confirmation of the dry run, so that it
 * is done to the state that was shown.
 *
 * @throws CliError NEEDS_EXECUTE, NOT_CONFIRMED: nothing was done; PARTIAL
 */
export async function act<Impact, Result>(session: Session, plan: ActionPlan<Impact, Result>): Promise<void> {
  const { operation, target, options = {} } = plan;
  const dry = await session.ask<Mutation<Impact, Result>>(operation, target, { ...options, dryRun: true });
  plan.assert?.(dry.impact);
  const { confirmation } = dry as { readonly confirmation: string | null };
  const { execute } = session.options();
  if (!execute) {
    showImpact(session, plan, dry);
    noteOf(session, plan, dry.impact);
    throw new CliError('NEEDS_EXECUTE', `Nothing was done. To do it, run: ${await lineToRun(session.invocation.line, flagsFor(session, confirmation))}`);
  }
  if (confirmation !== null) await confirm(session, plan, dry.impact);
  noteOf(session, plan, dry.impact);
  const done = await session.ask<Mutation<Impact, Result>>(operation, target, { ...options, confirm: confirmation ?? undefined });
  report(session, plan, done as Done<Result>);
}

/** The flags that do it: where nobody can be asked, what cannot be undone needs --yes. */
function flagsFor(session: Session, confirmation: string | null): readonly string[] {
  const needsYes = confirmation !== null && !session.surroundings.stdin.isTTY && !session.options().yes;
  return needsYes ? ['--execute', '--yes'] : ['--execute'];
}

/** For people: a program looks at the impact. */
function noteOf<Impact, Result>({ output }: Session, { note }: ActionPlan<Impact, Result>, impact: JsonOf<Impact>): void {
  const sentence = note?.(impact) ?? null;
  if (sentence !== null && output.isForPeople) output.note(sentence);
}

interface Done<Result> {
  readonly result: JsonOf<Result>;
  readonly partial: boolean;
  readonly audited: boolean;
}

function showImpact<Impact, Result>(
  { output }: Session,
  { impact: columns, parts, given }: ActionPlan<Impact, Result>,
  dry: { readonly impact: JsonOf<Impact> },
): void {
  output.record({ ...dry, ...given }, { columns: columns.map((column) => ({ ...column, of: ({ impact }) => column.of(impact) })), id: () => '' });
  for (const { title, items, columns: own } of parts?.(dry.impact) ?? []) output.section(title, items as never[], own);
}

type Confirmed<Impact> = Pick<ActionPlan<Impact, never>, 'name' | 'impact'>;

/** @throws CliError NOT_CONFIRMED */
async function confirm<Impact>(session: Session, plan: Confirmed<Impact>, impact: JsonOf<Impact>): Promise<void> {
  const { output, surroundings } = session;
  if (session.options().yes) return;
  if (!surroundings.stdin.isTTY) {
    throw new CliError('NOT_CONFIRMED', 'Nothing was done: this cannot be undone, and nobody can be asked here. Say --yes to do it.');
  }
  output.aside(recordText(impact, plan.impact, output.style));
  const typed = await typedLine(`This cannot be undone. Type ${plan.name} to do it: `, surroundings);
  if (typed === plan.name) return;
  throw new CliError('NOT_CONFIRMED', `Nothing was done: what was typed is not ${plan.name}. Run the command again to be asked again.`);
}

function report<Impact, Result>({ output }: Session, plan: ActionPlan<Impact, Result>, done: Done<Result>): void {
  const { result, partial, audited } = done;
  output.record(done, { columns: plan.result.map((column) => ({ ...column, of: (whole) => column.of(whole.result) })), id: () => '' });
  if (!audited) output.note('It was done, and its end could not be written to the audit stream: its beginning was.');
  if (partial) throw new CliError('PARTIAL', plan.left?.(result) ?? 'A part of it was left undone. --json shows the result.');
}
