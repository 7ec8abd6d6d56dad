import { MillraceError } from '@millrace/core';
import type { Admin, AdminJobs } from '../create-admin.js';
import { BrowseJobsOptions } from '../jobs/browse-jobs.js';
import { DrainQueueOptions } from '../jobs/drain-queue.js';
import { GetJobOptions } from '../jobs/get-job.js';
import type { JobTarget, QueueTarget } from '../jobs/job-parts.js';
import { JobSelectionOptions } from '../jobs/job-selection.js';
import { MutationOptions } from '../mutate/mutation-options.js';
import { PageOptions } from '../page/page.js';
import { action, type Inputs, type Operation, read, type Target } from './operation.js';
import { PAGE } from './topic-operations.js';

const SELECTION: Inputs = { ids: 'json', all: 'boolean', limit: 'number' };

const queueOf = ({ queue }: Target): QueueTarget => ({ queue: queue! });
const jobOf = ({ queue, job }: Target): JobTarget => ({ queue: queue!, job: job! });

/** Queues and their jobs. */
export const JOB_OPERATIONS: readonly Operation[] = [
  read({
    name: 'jobs.list', path: '/queues', role: 'viewer', inputs: PAGE, options: PageOptions,
    summary: 'Lists the queues that there are, with their jobs by state.',
    run: (admin, _target, options) => jobsOf(admin).list(options),
  }),
  read({
    name: 'jobs.info', path: '/queues/:queue', role: 'viewer',
    summary: 'Shows a queue with its jobs by state.',
    run: (admin, { queue }) => jobsOf(admin).info(queue!),
  }),
  read({
    name: 'jobs.browse', path: '/queues/:queue/jobs', role: 'viewer', inputs: { ...PAGE, state: 'text' }, options: BrowseJobsOptions,
    summary: 'Reads the jobs of a queue that are in one state.',
    run: (admin, target, options) => jobsOf(admin).browse(queueOf(target), options),
  }),
  read({
    name: 'jobs.get', path: '/queues/:queue/jobs/:job', role: 'viewer', options: GetJobOptions,
    inputs: { logFrom: 'number', logLines: 'number' },
    summary: 'Shows one job with its data, its attempts and a part of its log.',
    run: (admin, target, options) => jobsOf(admin).get(jobOf(target), options),
  }),
  read({
    name: 'jobs.schedulers', path: '/queues/:queue/schedulers', role: 'viewer', inputs: PAGE, options: PageOptions,
    summary: 'Lists the job schedulers of a queue.',
    run: (admin, target, options) => jobsOf(admin).schedulers(queueOf(target), options),
  }),
  action({
    name: 'jobs.retry', path: '/queues/:queue/retry', role: 'operator', inputs: SELECTION, options: JobSelectionOptions,
    summary: 'Has failed jobs done again.',
    run: (admin, target, options) => jobsOf(admin).retry(queueOf(target), options),
  }),
  action({
    name: 'jobs.promote', path: '/queues/:queue/promote', role: 'operator', inputs: SELECTION, options: JobSelectionOptions,
    summary: 'Makes delayed jobs due at once.',
    run: (admin, target, options) => jobsOf(admin).promote(queueOf(target), options),
  }),
  action({
    name: 'jobs.pause', path: '/queues/:queue/pause', role: 'operator', options: MutationOptions,
    summary: 'Pauses a queue until it is resumed.',
    run: (admin, target, options) => jobsOf(admin).pause(queueOf(target), options),
  }),
  action({
    name: 'jobs.resume', path: '/queues/:queue/resume', role: 'operator', options: MutationOptions,
    summary: 'Ends the pause of a queue.',
    run: (admin, target, options) => jobsOf(admin).resume(queueOf(target), options),
  }),
  action({
    name: 'jobs.drain', path: '/queues/:queue/drain', role: 'admin', inputs: { delayed: 'boolean', limit: 'number' },
    options: DrainQueueOptions,
    summary: 'Removes the jobs of a queue that no worker has begun.',
    run: (admin, target, options) => jobsOf(admin).drain(queueOf(target), options),
  }),
  action({
    name: 'jobs.remove', path: '/queues/:queue/jobs/:job/remove', role: 'admin', options: MutationOptions,
    summary: 'Removes one job that no worker has.',
    run: (admin, target, options) => jobsOf(admin).remove(jobOf(target), options),
  }),
];

function jobsOf({ jobs }: Admin): AdminJobs {
  if (jobs) return jobs;
  throw new MillraceError('INVALID_OPTIONS', 'This process has no way to queues, so it knows nothing of jobs: ask one that has.');
}
