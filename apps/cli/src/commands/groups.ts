import type { GroupInfo, GroupSummary } from '@millrace/admin';
import { usage } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, LIST, MILLISECONDS, MOMENT, SECONDS, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';
import { HELD_BY_BREAKERS, pause, resume, rm, seek } from './group-actions.js';
import { lag } from './group-lag.js';
import { pending } from './group-pending.js';
import { groupsOf, groupsOfAllTopics, livingOf, statusOf } from './group-status.js';

type Summary = JsonOf<GroupSummary>;
type Info = JsonOf<GroupInfo>;

const STATUS: Column<Summary> = { title: 'status', form: TEXT, of: statusOf };

const SUMMARY: Shape<Summary> = {
  id: ({ topic, group }) => `${topic} ${group}`,
  columns: [
    { title: 'topic', form: TEXT, of: ({ topic }) => topic },
    { title: 'group', form: TEXT, of: ({ group }) => group },
    STATUS,
    { title: 'members', form: COUNT, of: ({ members }) => livingOf(members) },
    { title: 'lag', form: COUNT, of: ({ state }) => state?.lag },
    { title: 'lag time', form: SECONDS, of: ({ state }) => state?.lagSeconds },
    { title: 'pending', form: COUNT, of: ({ state }) => state?.pending },
    { title: 'retrying', form: COUNT, of: ({ state }) => state?.retrying },
    { title: 'dead letters', form: COUNT, of: ({ state }) => state?.deadLetters },
    { title: 'seen', form: MOMENT, of: ({ seen }) => seen },
  ],
};

const INFO: Shape<Info> = {
  id: SUMMARY.id,
  columns: [
    ...(SUMMARY.columns as readonly Column<Info>[]),
    { title: 'handled', form: COUNT, of: ({ state }) => state?.handled },
    { title: 'retried', form: COUNT, of: ({ state }) => state?.retried },
    { title: 'redelivered', form: COUNT, of: ({ state }) => state?.redelivered },
    { title: 'lost', form: COUNT, of: ({ state }) => state?.lost },
    { title: 'paused by', form: TEXT, of: ({ paused }) => paused?.by },
    { title: 'paused since', form: MOMENT, of: ({ paused }) => paused?.since },
  ],
};

const PARTITION: readonly Column<{ readonly partition: number; readonly state: Info['partitions'][number] }>[] = [
  { title: 'partition', form: COUNT, of: ({ partition }) => partition },
  { title: 'lag', form: COUNT, of: ({ state }) => state?.lag },
  { title: 'lag time', form: SECONDS, of: ({ state }) => state?.lagSeconds },
  { title: 'pending', form: COUNT, of: ({ state }) => state?.pending },
  { title: 'retrying', form: COUNT, of: ({ state }) => state?.retrying },
  { title: 'handled', form: COUNT, of: ({ state }) => state?.handled },
  { title: 'dead letters', form: COUNT, of: ({ state }) => state?.deadLetters },
];

const MEMBER: readonly Column<Info['members'][number]>[] = [
  { title: 'member', form: TEXT, of: ({ name }) => name },
  { title: 'state', form: TEXT, of: ({ state }) => state },
  { title: 'heard', form: MILLISECONDS, of: ({ heardMs }) => heardMs },
  { title: 'pending', form: COUNT, of: ({ pending }) => pending },
  { title: 'owns', form: LIST, of: ({ owns }) => owns },
];

const BROKEN: readonly Column<Info['broken'][number]>[] = [...HELD_BY_BREAKERS, { title: 'error', form: TEXT, of: ({ error }) => error }];

const ls: CommandSpec = {
  name: 'ls',
  summary: 'List the groups of a topic, or of all topics.',
  args: ['[topic]'],
  options: [limitOption(1_000, 'groups'), cursorOption()],
  examples: ['millrace groups ls', 'millrace groups ls shop.orders -q'],
  run: async (session) => {
    const { limit, cursor } = session.options<{ limit: number; cursor?: string }>();
    const topic = session.arg(0);
    if (topic === '' && cursor !== undefined) throw usage('--cursor goes on in the groups of one topic. Name the topic, or leave it out.');
    const pages = topic === ''
      ? await groupsOfAllTopics(session, limit)
      : await readPages<GroupSummary>(session, groupsOf(topic), { limit, cursor });
    session.output.list(pages, SUMMARY);
    noteMore(pages, session);
  },
};

const info: CommandSpec = {
  name: 'info',
  summary: 'Show a group with its state in each partition and its members.',
  args: ['<topic>', '<group>'],
  examples: ['millrace groups info shop.orders billing'],
  run: async (session) => {
    const found = await session.ask<GroupInfo>('groups.info', { topic: session.arg(0), group: session.arg(1) });
    const { output } = session;
    output.record(found, INFO);
    output.section('Partitions', found.partitions.map((state, partition) => ({ partition, state })), PARTITION);
    output.section('Members', found.members, MEMBER);
    output.section('Members that a breaker holds', found.broken, BROKEN);
  },
};

export const groups: CommandGroup = {
  name: 'groups',
  summary: 'Groups of topics: lag, position, pauses.',
  commands: [ls, info, lag, pending, seek, pause, resume, rm],
};
