import type { JobView, QueueSummary } from '@millrace/admin';
import type { SchedulerRecord } from '@millrace/jobs';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import { TEXT } from '../output/humanise.js';
import type { Column } from '../output/table.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption, whole } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';
import type { Session } from '../session/session.js';
import { drain, pause, promote, resume, retry, rm } from './job-actions.js';
import { JOB, JOBS, QUEUE, QUEUES, SCHEDULERS } from './job-shape.js';

const STATES = ['waiting', 'prioritized', 'active', 'delayed', 'waiting-children', 'completed', 'failed'];

interface Paging {
  readonly limit: number;
  readonly cursor?: string;
}

const ls: CommandSpec = {
  name: 'ls',
  summary: 'List the queues that there are, or the jobs of one that are in one state.',
  args: ['[queue]'],
  options: [
    new Option('--state <state>', 'jobs of a queue in this state; default: failed').choices(STATES),
    limitOption(100, 'queues or jobs'), cursorOption(),
  ],
  examples: ['millrace jobs ls', 'millrace jobs ls emails --state delayed', 'millrace jobs ls emails -n 1000 --jsonl'],
  run: async (session) => {
    const { state, ...paging } = session.options<Paging & { state?: string }>();
    const queue = session.arg(0);
    if (queue === '') {
      if (state !== undefined) throw usage('--state is of the jobs of one queue. Name the queue, or leave it out.');
      const pages = await readPages<QueueSummary>(session, { operation: 'jobs.list' }, paging);
      session.output.list(pages, QUEUES);
      noteMore(pages, session);
      return;
    }
    const pages = await readPages<JobView>(session, { operation: 'jobs.browse', target: { queue }, options: { state } }, paging);
    session.output.list(pages, JOBS);
    if (state === undefined) noteState(session);
    noteMore(pages, session);
  },
};

/** Without a word the list would seem to be of all jobs. */
function noteState({ output }: Session): void {
  if (output.isForPeople) output.note(`These are the failed jobs alone. Others are shown by --state: ${STATES.filter((state) => state !== 'failed').join(', ')}.`);
}

const info: CommandSpec = {
  name: 'info',
  summary: 'Show a queue with its jobs by state.',
  args: ['<queue>'],
  examples: ['millrace jobs info emails'],
  run: async (session) => session.output.record(await session.ask<QueueSummary>('jobs.info', { queue: session.arg(0) }), QUEUE),
};

const LINE: readonly Column<string>[] = [{ title: 'line', form: TEXT, of: (line) => line }];

const get: CommandSpec = {
  name: 'get',
  summary: 'Show one job with its data, its attempts and its log.',
  args: ['<queue>', '<id>'],
  options: [
    new Option('--log-from <n>', 'the first line of the log, from 0 on').argParser(whole(0, 1e9)).default(0),
    new Option('--log-lines <n>', 'lines of the log at the most').argParser(whole(1, 500)).default(100),
  ],
  examples: ['millrace jobs get emails 0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b'],
  run: async (session) => {
    const [queue, job] = [session.arg(0), session.arg(1)];
    const { logFrom, logLines } = session.options<{ logFrom: number; logLines: number }>();
    const advice = `There is no job ${job} in ${queue} (any more). See millrace jobs ls ${queue}.`;
    const question = { operation: 'jobs.get', target: { queue, job }, options: { logFrom, logLines } };
    const found = await session.find<JobView | null>(question, advice);
    session.output.record(found, JOB);
    session.output.section('Log', found.log?.lines ?? [], LINE);
  },
};

const schedulers: CommandSpec = {
  name: 'schedulers',
  summary: 'List the job schedulers of a queue, the one that runs next first.',
  args: ['<queue>'],
  options: [limitOption(100, 'schedulers'), cursorOption()],
  examples: ['millrace jobs schedulers emails'],
  run: async (session) => {
    const question = { operation: 'jobs.schedulers', target: { queue: session.arg(0) } };
    const pages = await readPages<SchedulerRecord>(session, question, session.options<Paging>());
    session.output.list(pages, SCHEDULERS);
    noteMore(pages, session);
  },
};

export const jobs: CommandGroup = {
  name: 'jobs',
  summary: 'Queues and their jobs.',
  commands: [ls, info, get, retry, promote, pause, resume, drain, rm, schedulers],
};
