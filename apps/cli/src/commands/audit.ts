import type { AuditEntry } from '@millrace/admin';
import type { JsonOf } from '../operator/operator.js';
import { JSON_VALUE, MOMENT, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';

const ENTRIES: Shape<JsonOf<AuditEntry>> = {
  id: ({ id }) => id,
  columns: [
    { title: 'at', form: MOMENT, of: ({ at }) => at },
    { title: 'actor', form: TEXT, of: ({ actor }) => actor },
    { title: 'action', form: TEXT, of: ({ action }) => action },
    { title: 'target', form: TEXT, of: ({ target }) => targetText(target) },
    { title: 'phase', form: TEXT, of: ({ phase }) => phase },
    { title: 'outcome', form: TEXT, of: ({ outcome }) => outcomeText(outcome) },
    { title: 'impact or error', form: JSON_VALUE, of: ({ impact, outcome }) => messageIn(outcome) ?? impact },
  ],
};

const ls: CommandSpec = {
  name: 'ls',
  summary: 'List the actions of operators, the last one first.',
  options: [limitOption(50, 'entries'), cursorOption()],
  examples: ['millrace audit ls --limit 20'],
  run: async (session) => {
    const pages = await readPages<AuditEntry>(session, { operation: 'audit.list' }, session.options<{ limit: number; cursor?: string }>());
    session.output.list(pages, ENTRIES);
    noteMore(pages, session);
  },
};

export const audit: CommandGroup = { name: 'audit', summary: 'The actions of operators.', commands: [ls] };

/** The stream may hold entries of other programs: nothing is said of their parts. */
function targetText(target: unknown): string {
  return target !== null && typeof target === 'object' ? Object.values(target).join(' ') : '';
}

function outcomeText(outcome: unknown): string | null {
  if (outcome === null || typeof outcome !== 'object') return null;
  const { ok, partial, code } = outcome as Readonly<Record<string, unknown>>;
  if (ok === true) return partial === true ? 'done in part' : 'done';
  return typeof code === 'string' ? `failed: ${code}` : 'failed';
}

/** The words of a failure; null for none. They stand in the last column, whose length makes no other one wide. */
function messageIn(outcome: unknown): string | null {
  if (outcome === null || typeof outcome !== 'object') return null;
  const { message } = outcome as Readonly<Record<string, unknown>>;
  return typeof message === 'string' ? message : null;
}
