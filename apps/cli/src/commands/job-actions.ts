import type { DrainImpact, JobRemoval, JobRemoved, JobsActedOn, QueueDrained, QueuePaused, QueuePauseImpact, SelectedJobs } from '@millrace/admin';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import type { JsonOf, OperationOptions } from '../operator/operator.js';
import { COUNT, TEXT, YES_NO } from '../output/humanise.js';
import type { Column } from '../output/table.js';
import { act } from '../session/act.js';
import type { CommandSpec } from '../session/command-spec.js';
import { whole } from '../session/common-options.js';
import type { Session } from '../session/session.js';

const DRAINED: readonly Column<JsonOf<DrainImpact>>[] = [
  { title: 'jobs', form: COUNT, of: ({ jobs }) => jobs },
  { title: 'waiting', form: COUNT, of: ({ waiting }) => waiting },
  { title: 'prioritized', form: COUNT, of: ({ prioritized }) => prioritized },
];

const DELAYED: Column<JsonOf<DrainImpact>> = { title: 'delayed', form: COUNT, of: ({ delayed }) => delayed };

const PAUSE: readonly Column<JsonOf<QueuePauseImpact>>[] = [
  { title: 'paused before', form: YES_NO, of: ({ paused }) => paused },
  { title: 'waiting', form: COUNT, of: ({ counts }) => counts.waiting },
  { title: 'active', form: COUNT, of: ({ counts }) => counts.active },
];

const CHANGED: Column<JsonOf<QueuePaused>> = { title: 'changed', form: YES_NO, of: ({ changed }) => changed };

/** Workers end the jobs that they have after a pause. */
const ACTIVE: Column<JsonOf<QueuePaused>> = { title: 'still active', form: COUNT, of: ({ active }) => active };

export const retry: CommandSpec = {
  name: 'retry',
  summary: 'Have failed jobs done again, as if they had never been tried.',
  args: ['<queue>'],
  options: selectionOptions('failed'),
  isAction: true,
  examples: ['millrace jobs retry emails --id 0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b', 'millrace jobs retry emails --all --execute --yes'],
  run: (session) => move(session, { operation: 'jobs.retry', state: 'failed', done: 'retried' }),
};

export const promote: CommandSpec = {
  name: 'promote',
  summary: 'Make delayed jobs due at once.',
  args: ['<queue>'],
  options: selectionOptions('delayed'),
  isAction: true,
  examples: ['millrace jobs promote emails --id 0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b --execute', 'millrace jobs promote emails --all'],
  run: (session) => move(session, { operation: 'jobs.promote', state: 'delayed', done: 'promoted' }),
};

export const pause: CommandSpec = {
  name: 'pause',
  summary: 'Pause a queue for the workers of all processes until it is resumed.',
  args: ['<queue>'],
  isAction: true,
  help: 'Jobs that workers have go on, and others may be enqueued.',
  examples: ['millrace jobs pause emails --execute'],
  run: (session) => setPaused(session, 'jobs.pause', [CHANGED, ACTIVE]),
};

export const resume: CommandSpec = {
  name: 'resume',
  summary: 'End the pause of a queue.',
  args: ['<queue>'],
  isAction: true,
  examples: ['millrace jobs resume emails --execute'],
  run: (session) => setPaused(session, 'jobs.resume', [CHANGED]),
};

export const drain: CommandSpec = {
  name: 'drain',
  summary: 'Remove the jobs of a queue that no worker has begun.',
  args: ['<queue>'],
  options: [
    new Option('--delayed', 'jobs, too, that are not due yet'),
    new Option('-n, --limit <n>', 'so many at the most, the newest first').argParser(whole(1, 100_000)).default(10_000),
  ],
  isAction: true,
  help: 'Finished jobs stay, as do the next runs of schedulers. The queue goes on meanwhile: pause it first.',
  examples: ['millrace jobs drain emails', 'millrace jobs drain emails --delayed --execute --yes'],
  run: async (session) => {
    const { delayed, limit } = session.options<{ delayed?: boolean; limit: number }>();
    await act<DrainImpact, QueueDrained>(session, {
      operation: 'jobs.drain', target: { queue: session.arg(0) }, options: { delayed, limit }, name: session.arg(0),
      impact: delayed ? [...DRAINED, DELAYED] : DRAINED,
      result: [{ title: 'removed', form: COUNT, of: ({ removed }) => removed }, { title: 'left', form: COUNT, of: (result) => result.left }],
      left: ({ failure }) => `The rest was left: ${failure?.message}`,
    });
  },
};

export const rm: CommandSpec = {
  name: 'rm',
  summary: 'Remove one job that no worker has.',
  args: ['<queue>', '<id>'],
  isAction: true,
  examples: ['millrace jobs rm emails 0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b'],
  run: async (session) => {
    const [queue, job] = [session.arg(0), session.arg(1)];
    await act<JobRemoval, JobRemoved>(session, {
      operation: 'jobs.remove', target: { queue, job }, name: job,
      impact: [{ title: 'name', form: TEXT, of: ({ name }) => name }, { title: 'state', form: TEXT, of: ({ state }) => state }],
      result: [{ title: 'outcome', form: TEXT, of: ({ outcome }) => outcome }],
      left: ({ outcome }) => `The job was not removed: it is ${WHY[outcome]}. Look at it with millrace jobs get.`,
    });
  },
};

const WHY: Readonly<Record<JobRemoved['outcome'], string>> = {
  done: 'gone', missing: 'not there (any more)', elsewhere: 'in another state', scheduled: 'the next run of a scheduler', held: 'in the hands of a worker',
};

interface Move {
  readonly operation: string;
  readonly state: string;
  readonly done: string;
}

async function move(session: Session, { operation, state, done: title }: Move): Promise<void> {
  await act<SelectedJobs, JobsActedOn>(session, {
    operation, target: { queue: session.arg(0) }, options: selectionOf(session), name: session.arg(0),
    impact: [{ title: 'jobs', form: COUNT, of: ({ jobs }) => jobs }, { title: `${state} in all`, form: COUNT, of: ({ inState }) => inState }],
    result: [{ title, form: COUNT, of: ({ done }) => done }],
    left: ({ items, done, failure }) => {
      const why = failure === null ? `are not there, or not ${state} (any more)` : `were left: ${failure.message}`;
      return `${items.length - done} jobs ${why}. --json shows each; ask again for those that are there.`;
    },
  });
}

async function setPaused(session: Session, operation: string, result: readonly Column<JsonOf<QueuePaused>>[]): Promise<void> {
  const queue = session.arg(0);
  await act<QueuePauseImpact, QueuePaused>(session, { operation, target: { queue }, name: queue, impact: PAUSE, result });
}

function selectionOptions(state: string): Option[] {
  return [
    new Option('--id <id...>', 'jobs by their ids'),
    new Option('--all', `all that are ${state}`),
    new Option('-n, --limit <n>', 'so many at the most, the oldest first').argParser(whole(1, 10_000)).default(1_000),
  ];
}

function selectionOf(session: Session): OperationOptions {
  const { id: ids, all, limit } = session.options<{ id?: readonly string[]; all?: boolean; limit: number }>();
  if ((ids === undefined) === (all === undefined)) {
    throw usage(`Say which jobs are meant: --id or --all, and one of them alone. See ${session.invocation.command} --help.`);
  }
  return { ids, all, limit };
}
