import type { TopicSchedule } from '@millrace/admin';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, LIST, MOMENT, TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';

const SCHEDULE: Shape<JsonOf<TopicSchedule>> = {
  id: ({ topic }) => topic,
  columns: [
    { title: 'topic', form: TEXT, of: ({ topic }) => topic },
    { title: 'delayed', form: COUNT, of: ({ delayed }) => delayed },
    { title: 'next due', form: MOMENT, of: ({ nextAt }) => nextAt },
    { title: 'last due', form: MOMENT, of: ({ lastAt }) => lastAt },
    { title: 'partitions', form: LIST, of: ({ partitions }) => partitions.map(({ partition }) => partition) },
  ],
};

export const schedules: CommandSpec = {
  name: 'schedules',
  summary: 'List the topics with delayed messages, and when the next ones are due.',
  options: [limitOption(1_000, 'topics'), cursorOption()],
  examples: ['millrace topics schedules', 'millrace topics schedules --json'],
  run: async (session) => {
    const { limit, cursor } = session.options<{ limit: number; cursor?: string }>();
    const pages = await readPages<TopicSchedule>(session, { operation: 'schedules.list' }, { limit, cursor });
    session.output.list(pages, SCHEDULE);
    noteMore(pages, session);
  },
};
