import type { GroupSummary } from '@millrace/admin';
import { type Duration, durationMs } from '@millrace/core';
import { setTimeout as wait } from 'node:timers/promises';
import { Option } from 'commander';
import { CliError, usage } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, SECONDS, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';
import { duration, limitOption, whole } from '../session/common-options.js';
import { type Pages, readPages } from '../session/pages.js';
import type { Session } from '../session/session.js';
import { groupsOf, groupsOfAllTopics, statusOf } from './group-status.js';

type Summary = JsonOf<GroupSummary>;

const LAG: Shape<Summary> = {
  id: ({ topic, group }) => `${topic} ${group}`,
  columns: [
    { title: 'topic', form: TEXT, of: ({ topic }) => topic },
    { title: 'group', form: TEXT, of: ({ group }) => group },
    { title: 'status', form: TEXT, of: statusOf },
    { title: 'lag', form: COUNT, of: ({ state }) => state?.lag },
    { title: 'lag time', form: SECONDS, of: ({ state }) => state?.lagSeconds },
    { title: 'pending', form: COUNT, of: ({ state }) => state?.pending },
    { title: 'retrying', form: COUNT, of: ({ state }) => state?.retrying },
  ],
};

const CLEAR = '\u001B[H\u001B[2J';

interface LagOptions {
  readonly max?: number;
  readonly watch?: true | Duration;
  readonly for?: Duration;
  readonly limit: number;
}

export const lag: CommandSpec = {
  name: 'lag',
  summary: 'Show how far groups are behind, the furthest first.',
  args: ['[topic]', '[group]'],
  options: [
    new Option('--max <n>', 'end with exit code 7 when a group is more than so many messages behind').argParser(whole(0, 1e12)),
    new Option('--watch [every]', 'show it again and again, each 2s unless said otherwise').argParser(duration),
    new Option('--for <duration>', 'watch for so long').argParser(duration),
    limitOption(1_000, 'groups'),
  ],
  examples: ['millrace groups lag', 'millrace groups lag shop.orders billing --max 1000', 'millrace groups lag --watch 5s'],
  run: async (session) => {
    const { watch, for: within, max } = session.options<LagOptions>();
    if (within !== undefined && watch === undefined) throw usage('--for says how long to watch. Say --watch with it, or leave it out.');
    const end = within === undefined ? Infinity : performance.now() + durationMs(within);
    for (;;) {
      const groups = await furthestFirst(session);
      show(session, groups);
      if (max !== undefined) check(groups, max);
      if (watch === undefined || performance.now() >= end) return;
      await wait(durationMs(watch === true ? '2s' : watch), undefined, { signal: session.signal });
    }
  },
};

async function furthestFirst(session: Session): Promise<Pages<GroupSummary>> {
  const { limit } = session.options<LagOptions>();
  const [topic, group] = [session.arg(0), session.arg(1)];
  const pages = group !== '' ? await one(session, topic, group)
    : topic !== '' ? await readPages<GroupSummary>(session, groupsOf(topic), { limit }) : await groupsOfAllTopics(session, limit);
  const lagOf = ({ state }: Summary): number => state?.lag ?? -1;
  return { ...pages, items: [...pages.items].sort((a, b) => lagOf(b) - lagOf(a)) };
}

async function one(session: Session, topic: string, group: string): Promise<Pages<GroupSummary>> {
  const found = await session.ask<GroupSummary>('groups.info', { topic, group });
  return { items: [found], scanned: 1, complete: true, nextCursor: null };
}

/** A terminal shows the newest figures in the place of the ones before; JSON has a line for each time. */
function show(session: Session, groups: Pages<GroupSummary>): void {
  const { output, surroundings } = session;
  const isWatched = session.options<LagOptions>().watch !== undefined;
  if (isWatched && output.isForPeople && surroundings.stdout.isTTY) output.data(CLEAR);
  output.list(groups, LAG);
}

/** @throws CliError CHECK_FAILED */
function check({ items }: Pages<GroupSummary>, max: number): void {
  const behind = items.filter(({ state }) => (state?.lag ?? 0) > max);
  if (behind.length === 0) return;
  const names = behind.slice(0, 5).map(({ topic, group, state }) => `${group} on ${topic} (${state?.lag ?? 0})`).join(', ');
  throw new CliError('CHECK_FAILED', `More than ${max} messages behind: ${names}${behind.length > 5 ? ' and others' : ''}. Look at one with millrace groups info.`);
}
