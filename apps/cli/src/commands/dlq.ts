import type { DeadLetterGroup, DeadLetterView, ErrorKind, LettersDiscarded, LettersRedriven, Page, SelectedLetters } from '@millrace/admin';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import type { JsonOf, OperationOptions } from '../operator/operator.js';
import { COUNT, JSON_VALUE, LIST, MOMENT, TEXT, YES_NO } from '../output/humanise.js';
import { jsonText } from '../output/json-text.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';
import { act } from '../session/act.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption, rate, whole } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';
import type { Session } from '../session/session.js';

type Letter = JsonOf<DeadLetterView>;
type Kind = JsonOf<ErrorKind>;

const GROUPS: Shape<JsonOf<DeadLetterGroup>> = {
  id: ({ topic, group }) => `${topic} ${group}`,
  columns: [
    { title: 'topic', form: TEXT, of: ({ topic }) => topic },
    { title: 'group', form: TEXT, of: ({ group }) => group },
    { title: 'dead letters', form: COUNT, of: ({ deadLetters }) => deadLetters },
  ],
};

const KINDS: Shape<Kind> = {
  id: ({ fingerprint }) => fingerprint,
  columns: [
    { title: 'fingerprint', form: TEXT, of: ({ fingerprint }) => fingerprint },
    { title: 'count', form: COUNT, of: ({ count }) => count },
    { title: 'reason', form: TEXT, of: ({ reason }) => reason },
    { title: 'first', form: MOMENT, of: ({ firstSeen }) => firstSeen },
    { title: 'last', form: MOMENT, of: ({ lastSeen }) => lastSeen },
    { title: 'newest', form: TEXT, of: ({ sample }) => sample },
    { title: 'error', form: TEXT, of: ({ error }) => wordsOf(error) },
  ],
};

const ERROR: Column<Letter> = { title: 'error', form: TEXT, of: ({ error }) => wordsOf(error) };

const LETTERS: Shape<Letter> = {
  id: ({ id }) => id,
  columns: [
    { title: 'id', form: TEXT, of: ({ id }) => id },
    { title: 'given up', form: MOMENT, of: ({ deadLetteredAt }) => deadLetteredAt },
    { title: 'reason', form: TEXT, of: ({ reason }) => reason },
    { title: 'attempts', form: COUNT, of: ({ attempts }) => attempts },
    { title: 'redriven', form: COUNT, of: ({ redriven }) => redriven },
    { title: 'message', form: TEXT, of: ({ messageId }) => messageId },
    { title: 'key', form: TEXT, of: ({ key }) => key },
    { title: 'fingerprint', form: TEXT, of: ({ fingerprint }) => fingerprint },
    ERROR,
  ],
};

const LETTER: Shape<Letter> = {
  id: LETTERS.id,
  columns: [
    ...LETTERS.columns.slice(0, -1),
    { title: 'crashes', form: COUNT, of: ({ crashes }) => crashes },
    { title: 'published', form: MOMENT, of: ({ publishedAt }) => publishedAt },
    { title: 'first failed', form: MOMENT, of: ({ firstFailedAt }) => firstFailedAt },
    { title: 'hidden', form: YES_NO, of: ({ hidden }) => hidden },
    { title: 'redacted', form: LIST, of: ({ redacted }) => redacted },
    { ...ERROR, isWhole: true },
    { title: 'stack', form: TEXT, of: ({ error }) => error.stack, isWhole: true },
    { title: 'headers', form: JSON_VALUE, of: ({ headers }) => headers, isWhole: true },
    { title: 'problem', form: TEXT, of: ({ problem }) => problem },
    { title: 'payload', form: JSON_VALUE, of: ({ payload, problem, envelope }) => (problem === null ? payload : envelope), isWhole: true },
  ],
};

const SELECTED: readonly Column<JsonOf<SelectedLetters>>[] = [
  { title: 'dead letters', form: COUNT, of: ({ deadLetters }) => deadLetters },
  { title: 'looked at', form: COUNT, of: ({ scanned }) => scanned },
  { title: 'all of them', form: YES_NO, of: ({ complete }) => complete },
];

const ls: CommandSpec = {
  name: 'ls',
  summary: 'List the groups that have dead letters.',
  options: [limitOption(1_000, 'groups'), cursorOption()],
  examples: ['millrace dlq ls'],
  run: async (session) => {
    const pages = await readPages<DeadLetterGroup>(session, { operation: 'deadLetters.list' }, session.options<Paging>());
    session.output.list(pages, GROUPS);
    noteMore(pages, session);
  },
};

const errors: CommandSpec = {
  name: 'errors',
  summary: 'Count the dead letters of a group by the way in which they were given up.',
  args: ['<topic>', '<group>'],
  examples: ['millrace dlq errors shop.orders billing'],
  run: async (session) => {
    const { mergeErrors } = await import('@millrace/admin');
    let kinds: readonly ErrorKind[] = [];
    let [scanned, cursor]: [number, string | undefined] = [0, undefined];
    do {
      const options = { cursor, most: 10_000 };
      const page: JsonOf<Page<ErrorKind>> = await session.ask<Page<ErrorKind>>('deadLetters.errors', targetOf(session), options);
      // Moments in ISO 8601 have the order of their texts.
      kinds = mergeErrors(kinds, page.items as unknown as readonly ErrorKind[]);
      scanned += page.scanned;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && !session.signal.aborted);
    const counted = { items: kinds as unknown as readonly Kind[], scanned, complete: cursor === undefined, nextCursor: null };
    session.output.list(counted, KINDS);
  },
};

const show: CommandSpec = {
  name: 'show',
  summary: 'List the dead letters of a group, or show one of them.',
  args: ['<topic>', '<group>', '[id]'],
  options: [new Option('--error <fingerprint>', 'those that were given up in this way'), limitOption(50, 'dead letters'), cursorOption()],
  examples: ['millrace dlq show shop.orders billing', 'millrace dlq show shop.orders billing 0:1767225600000-0'],
  run: async (session) => {
    const [target, id] = [targetOf(session), session.arg(2)];
    const { error: fingerprint, ...paging } = session.options<Paging & { error?: string }>();
    if (id !== '') {
      if ((fingerprint ?? paging.cursor) !== undefined) throw usage('--error and --cursor are of the list, and an id names one dead letter. Leave the id out, or them.');
      const advice = `There is no dead letter ${id} of ${target.group} on ${target.topic} (any more). See ${session.invocation.command} without an id.`;
      const question = { operation: 'deadLetters.show', target: { ...target, id } };
      session.output.record(await session.find<DeadLetterView | null>(question, advice), LETTER);
      return;
    }
    const pages = await readPages<DeadLetterView>(session, { operation: 'deadLetters.browse', target, options: { fingerprint } }, paging);
    session.output.list(pages, LETTERS);
    noteMore(pages, session);
  },
};

const redrive: CommandSpec = {
  name: 'redrive',
  summary: 'Put dead letters back to the group that gave them up.',
  args: ['<topic>', '<group>'],
  options: [...selectionOptions(), new Option('--rate <n/s>', 'so many a second at the most, as 50/s').argParser(rate)],
  isAction: true,
  examples: ['millrace dlq redrive shop.orders billing --error 4f1d2c3b4a596877', 'millrace dlq redrive shop.orders billing --all --rate 50/s --execute --yes'],
  run: async (session) => {
    const { rate: perSecond } = session.options<{ rate?: number }>();
    const target = targetOf(session);
    await act<SelectedLetters, LettersRedriven>(session, {
      operation: 'deadLetters.redrive', target, options: { ...selectionOf(session), rate: perSecond }, name: target.group,
      impact: SELECTED, result: [{ title: 'redriven', form: COUNT, of: ({ redriven }) => redriven }],
      left: ({ items, redriven, failure }) => {
        const why = failure === null ? 'were not there any more or cannot be read' : `were left: ${failure.message}`;
        return `${items.length - redriven} dead letters ${why}. --json shows each; ask again for those that are there.`;
      },
    });
  },
};

const discard: CommandSpec = {
  name: 'discard',
  summary: 'Remove dead letters for good.',
  args: ['<topic>', '<group>'],
  options: selectionOptions(),
  isAction: true,
  examples: ['millrace dlq discard shop.orders billing --id 0:1767225600000-0', 'millrace dlq discard shop.orders billing --all --execute --yes'],
  run: async (session) => {
    const target = targetOf(session);
    await act<SelectedLetters, LettersDiscarded>(session, {
      operation: 'deadLetters.discard', target, options: selectionOf(session), name: target.group, impact: SELECTED,
      result: [{ title: 'discarded', form: COUNT, of: ({ discarded }) => discarded }],
      left: ({ missing }) => `${missing} dead letters were not there any more. Look with millrace dlq show.`,
    });
  },
};

const exported: CommandSpec = {
  name: 'export',
  summary: 'Print the dead letters of a group, a line of JSON for each.',
  args: ['<topic>', '<group>'],
  options: [new Option('--error <fingerprint>', 'those that were given up in this way')],
  examples: ['millrace dlq export shop.orders billing > dead-letters.ndjson'],
  run: async (session) => {
    const { error: fingerprint } = session.options<{ error?: string }>();
    let cursor: string | undefined;
    do {
      const options = { fingerprint, cursor, limit: 500 };
      const page: JsonOf<Page<DeadLetterView>> = await session.ask<Page<DeadLetterView>>('deadLetters.browse', targetOf(session), options);
      for (const letter of page.items) session.output.data(`${jsonText(letter)}\n`);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && !session.signal.aborted);
  },
};

export const dlq: CommandGroup = { name: 'dlq', summary: 'Dead letters: messages that groups gave up.', commands: [ls, errors, show, redrive, discard, exported] };

interface Paging {
  readonly limit: number;
  readonly cursor?: string;
}

interface Selection {
  readonly id?: readonly string[];
  readonly error?: string;
  readonly all?: boolean;
  readonly limit: number;
}

function selectionOptions(): Option[] {
  return [
    new Option('--id <id...>', 'dead letters by their ids'),
    new Option('--error <fingerprint>', 'those that were given up in this way: millrace dlq errors shows the fingerprints'),
    new Option('--all', 'all of them'),
    new Option('-n, --limit <n>', 'so many at the most, the oldest of each partition first').argParser(whole(1, 10_000)).default(1_000),
  ];
}

function selectionOf(session: Session): OperationOptions {
  const { id: ids, error: fingerprint, all, limit } = session.options<Selection>();
  if ([ids, fingerprint, all].filter((way) => way !== undefined).length !== 1) {
    throw usage(`Say which dead letters are meant: --id, --error or --all, and one of them alone. See ${session.invocation.command} --help.`);
  }
  return { ids, fingerprint, all, limit };
}

/** A message that is hidden leaves the name. */
function wordsOf({ name, message }: Kind['error']): string {
  return message === null ? name : `${name}: ${message}`;
}

function targetOf(session: Session): { topic: string; group: string } {
  return { topic: session.arg(0), group: session.arg(1) };
}
