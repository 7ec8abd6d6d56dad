import type { ListedTopic, PurgeImpact, TopicCreation, TopicInfo } from '@millrace/admin';
import type { Purged, TopicRemoval } from '@millrace/streams';
import { Option } from 'commander';
import { CliError } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, LIST, MOMENT, SECONDS, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { act, part } from '../session/act.js';
import { cursorOption, limitOption, whole } from '../session/common-options.js';
import { moment } from '../session/moments.js';
import { noteMore, readPages } from '../session/pages.js';
import { removalOptions, type RemovalOptions, REMOVED_GROUP, waitingFor } from './removed-group.js';
import { raise } from './topic-raise.js';
import { schedules } from './topic-schedules.js';

type Listed = JsonOf<ListedTopic>;
type Info = JsonOf<TopicInfo>;

const LISTED: Shape<Listed> = {
  id: ({ name }) => name,
  columns: [
    { title: 'topic', form: TEXT, of: ({ name }) => name },
    { title: 'partitions', form: COUNT, of: ({ partitions }) => partitions },
    { title: 'messages', form: COUNT, of: ({ messages }) => messages },
    { title: 'delayed', form: COUNT, of: ({ delayed }) => delayed },
    { title: 'groups', form: COUNT, of: ({ groups }) => groups },
    { title: 'worst lag', form: COUNT, of: ({ worstLag }) => worstLag?.messages },
    { title: 'lag time', form: SECONDS, of: ({ worstLag }) => worstLag?.seconds },
    { title: 'dead letters', form: COUNT, of: ({ deadLetters }) => deadLetters },
    { title: 'newest', form: MOMENT, of: ({ newestAt }) => newestAt },
  ],
};

const INFO: Shape<Info> = {
  id: ({ name }) => name,
  columns: [
    { title: 'topic', form: TEXT, of: ({ name }) => name },
    { title: 'messages', form: COUNT, of: ({ messages }) => messages },
    { title: 'delayed', form: COUNT, of: ({ delayed }) => delayed },
    { title: 'oldest', form: MOMENT, of: ({ oldestAt }) => oldestAt },
    { title: 'newest', form: MOMENT, of: ({ newestAt }) => newestAt },
    { title: 'groups', form: COUNT, of: ({ groups }) => groups },
    { title: 'group behind', form: TEXT, of: ({ worstLag }) => worstLag?.group },
    { title: 'worst lag', form: COUNT, of: ({ worstLag }) => worstLag?.messages },
    { title: 'dead letters', form: COUNT, of: ({ deadLetters }) => deadLetters },
  ],
};

const PARTITION: readonly Column<Info['partitions'][number]>[] = [
  { title: 'partition', form: COUNT, of: ({ partition }) => partition },
  { title: 'messages', form: COUNT, of: ({ messages }) => messages },
  { title: 'entries', form: COUNT, of: ({ entries }) => entries },
  { title: 'first offset', form: COUNT, of: ({ firstOffset }) => firstOffset },
  { title: 'next offset', form: COUNT, of: ({ nextOffset }) => nextOffset },
  { title: 'delayed', form: COUNT, of: ({ delayed }) => delayed },
  { title: 'oldest', form: MOMENT, of: ({ firstAt }) => firstAt },
  { title: 'newest', form: MOMENT, of: ({ lastAt }) => lastAt },
];

const BEHIND: readonly Column<JsonOf<PurgeImpact>['groups'][number]>[] = [
  { title: 'group', form: TEXT, of: ({ group }) => group },
  { title: 'lag', form: COUNT, of: ({ lag }) => lag },
];

const ls: CommandSpec = {
  name: 'ls',
  summary: 'List topics with sums over their partitions and groups.',
  options: [new Option('--starting <text>', 'topics whose names begin so'), limitOption(1_000, 'topics'), cursorOption()],
  examples: ['millrace topics ls', 'millrace topics ls --starting shop. --json'],
  run: async (session) => {
    const { starting, limit, cursor } = session.options<{ starting?: string; limit: number; cursor?: string }>();
    const question = { operation: 'topics.list', options: { prefix: starting } };
    const pages = await readPages<ListedTopic>(session, question, { limit, cursor });
    session.output.list(pages, LISTED);
    noteMore(pages, session);
  },
};

const info: CommandSpec = {
  name: 'info',
  summary: 'Show a topic with the log of each partition.',
  args: ['<topic>'],
  examples: ['millrace topics info shop.orders'],
  run: async (session) => {
    const found = await session.ask<TopicInfo>('topics.info', { topic: session.arg(0) });
    session.output.record(found, INFO);
    session.output.section('Partitions', found.partitions, PARTITION);
  },
};

const create: CommandSpec = {
  name: 'create',
  summary: 'Make a topic where it is not there.',
  args: ['<topic>'],
  options: [new Option('--partitions <n>', 'its partitions, 1 to 256').argParser(whole(1, 256)).default(1)],
  isAction: true,
  examples: ['millrace topics create shop.orders --partitions 3 --execute'],
  run: async (session) => {
    const { partitions } = session.options<{ partitions: number }>();
    const topic = session.arg(0);
    const now = { title: 'partitions', form: COUNT, of: (creation: TopicCreation) => creation.partitions };
    await act<TopicCreation, TopicCreation>(session, {
      operation: 'topics.create', target: { topic }, options: { partitions }, name: topic,
      impact: [{ title: 'partitions before', form: COUNT, of: ({ before }) => before }, now],
      assert: (creation) => assertSame(topic, creation),
      result: [now],
    });
  },
};

/** @throws CliError TOPIC_MISMATCH when it is there with other partitions */
function assertSame(topic: string, { before, partitions }: TopicCreation): void {
  if (before === null || before === partitions) return;
  const advice = partitions > before
    ? `Raise the number, which never goes back: millrace topics raise ${topic} --partitions ${partitions}`
    : `The number never becomes less: say --partitions ${before}, or another name.`;
  throw new CliError('TOPIC_MISMATCH', `There is a topic ${topic} already, with ${before} partitions and not ${partitions}. ${advice}`);
}

const purge: CommandSpec = {
  name: 'purge',
  summary: 'Remove messages of a topic, and leave the topic, its groups and its dead letters.',
  args: ['<topic>'],
  options: [
    new Option('--before <when>', 'messages that were stored before; default: all that are there now').argParser(moment),
    new Option('--unsettled', 'messages, too, that a group has not handled: it never gets them'),
  ],
  isAction: true,
  examples: ['millrace topics purge shop.orders --before 2026-05-01T00:00:00Z', 'millrace topics purge shop.orders --unsettled --execute --yes'],
  run: async (session) => {
    const { before, unsettled } = session.options<{ before?: Date; unsettled?: boolean }>();
    const topic = session.arg(0);
    await act<PurgeImpact, Purged>(session, {
      operation: 'topics.purge', target: { topic }, options: { before, unsettled }, name: topic,
      impact: [
        { title: 'messages', form: COUNT, of: ({ messages }) => messages },
        { title: 'before', form: MOMENT, of: (impact) => impact.before },
      ],
      parts: ({ groups }) => [part('Groups that have not handled all of them', groups, BEHIND)],
      result: [{ title: 'removed', form: COUNT, of: ({ messages }) => messages }, { title: 'held by', form: LIST, of: ({ heldBy }) => heldBy }],
      left: ({ heldBy }) => {
        return `Messages stay that ${heldBy.join(' and ')} has not handled, and those behind them. Wait for it, or say --unsettled.`;
      },
    });
  },
};

const rm: CommandSpec = {
  name: 'rm',
  summary: 'Remove a topic with its messages, groups and dead letters.',
  args: ['<topic>'],
  options: removalOptions(),
  isAction: true,
  examples: ['millrace topics rm shop.orders', 'millrace topics rm shop.orders --execute --yes'],
  run: async (session) => {
    const { force, within } = session.options<RemovalOptions>();
    const topic = session.arg(0);
    const sums: readonly Column<JsonOf<TopicRemoval>>[] = [
      { title: 'messages', form: COUNT, of: ({ messages }) => messages },
      { title: 'delayed', form: COUNT, of: ({ delayed }) => delayed },
      { title: 'groups', form: LIST, of: ({ groups }) => groups.map(({ group }) => group) },
    ];
    await act<TopicRemoval, TopicRemoval>(session, {
      operation: 'topics.delete', target: { topic }, options: { force, within }, name: topic, impact: sums,
      parts: ({ groups }) => [part('Its groups', groups, REMOVED_GROUP)],
      note: ({ groups }) => waitingFor(groups, { force, within }),
      result: sums,
    });
  },
};

export const topics: CommandGroup = { name: 'topics', summary: 'Topics and their partitions.', commands: [ls, info, schedules, create, raise, purge, rm] };
