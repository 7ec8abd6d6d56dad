import type { JobView, QueueSummary } from '@millrace/admin';
import type { SchedulerRecord } from '@millrace/jobs';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, JSON_VALUE, MILLISECONDS, MOMENT, TEXT, YES_NO } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';

type Queue = JsonOf<QueueSummary>;
type Job = JsonOf<JobView>;

export const QUEUES: Shape<Queue> = {
  id: ({ queue }) => queue,
  columns: [
    { title: 'queue', form: TEXT, of: ({ queue }) => queue },
    { title: 'paused', form: YES_NO, of: ({ paused }) => paused },
    { title: 'waiting', form: COUNT, of: ({ counts }) => counts?.waiting },
    { title: 'prioritized', form: COUNT, of: ({ counts }) => counts?.prioritized },
    { title: 'active', form: COUNT, of: ({ counts }) => counts?.active },
    { title: 'delayed', form: COUNT, of: ({ counts }) => counts?.delayed },
    { title: 'completed', form: COUNT, of: ({ counts }) => counts?.completed },
    { title: 'failed', form: COUNT, of: ({ counts }) => counts?.failed },
    { title: 'schedulers', form: COUNT, of: ({ schedulers }) => schedulers },
  ],
};

export const QUEUE: Shape<Queue> = {
  id: QUEUES.id,
  columns: [...QUEUES.columns, { title: 'parents', form: COUNT, of: ({ counts }) => counts?.['waiting-children'] }],
};

const ERROR: Column<Job> = { title: 'error', form: TEXT, of: ({ error }) => error };

const DATA: Column<Job> = { title: 'data', form: JSON_VALUE, of: ({ data }) => data };

export const JOBS: Shape<Job> = {
  id: ({ id }) => id,
  columns: [
    { title: 'id', form: TEXT, of: ({ id }) => id },
    { title: 'name', form: TEXT, of: ({ name }) => name },
    { title: 'state', form: TEXT, of: ({ state }) => state },
    { title: 'added', form: MOMENT, of: ({ addedAt }) => addedAt },
    { title: 'due', form: MOMENT, of: ({ dueAt }) => dueAt },
    { title: 'attempts', form: COUNT, of: ({ attempts }) => attempts },
    ERROR,
    DATA,
  ],
};

export const JOB: Shape<Job> = {
  id: JOBS.id,
  columns: [
    ...JOBS.columns.slice(0, -2),
    { title: 'most attempts', form: COUNT, of: ({ mostAttempts }) => mostAttempts },
    { title: 'stalled', form: COUNT, of: ({ stalled }) => stalled },
    { title: 'priority', form: COUNT, of: ({ priority }) => priority },
    { title: 'key', form: TEXT, of: ({ idempotencyKey }) => idempotencyKey },
    { title: 'progress', form: JSON_VALUE, of: ({ progress }) => progress },
    { title: 'started', form: MOMENT, of: ({ startedAt }) => startedAt },
    { title: 'finished', form: MOMENT, of: ({ finishedAt }) => finishedAt },
    { title: 'scheduler', form: TEXT, of: ({ scheduler }) => scheduler },
    { ...ERROR, isWhole: true },
    { title: 'stack', form: TEXT, of: ({ stacks }) => stacks?.at(-1), isWhole: true },
    { title: 'result', form: JSON_VALUE, of: ({ result }) => result, isWhole: true },
    { title: 'options', form: JSON_VALUE, of: ({ options }) => options, isWhole: true },
    { title: 'problem', form: TEXT, of: ({ problem }) => problem },
    { ...DATA, isWhole: true },
    { title: 'hidden', form: YES_NO, of: ({ hidden }) => hidden },
  ],
};

export const SCHEDULERS: Shape<JsonOf<SchedulerRecord>> = {
  id: ({ key }) => key,
  columns: [
    { title: 'key', form: TEXT, of: ({ key }) => key },
    { title: 'job', form: TEXT, of: ({ job }) => job },
    { title: 'pattern', form: TEXT, of: ({ pattern }) => pattern },
    { title: 'every', form: MILLISECONDS, of: ({ everyMs }) => everyMs },
    { title: 'zone', form: TEXT, of: ({ timezone }) => timezone },
    { title: 'next', form: MOMENT, of: ({ nextAt }) => nextAt },
    { title: 'last', form: MOMENT, of: ({ lastAt }) => lastAt },
    { title: 'made', form: COUNT, of: ({ made }) => made },
    { title: 'ends', form: MOMENT, of: ({ endsAt }) => endsAt },
  ],
};
