import type { ListedTopic, TopicInfo } from '@millrace/admin';
import { Option } from 'commander';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, MOMENT, SECONDS, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';

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

export const topics: CommandGroup = { name: 'topics', summary: 'Topics and their partitions.', commands: [ls, info] };
