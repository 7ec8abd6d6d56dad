import { Crew } from '@millrace/testing';
import type { Ground } from '../ground.js';
import type { WorkerPlan } from './plan.js';
import type { Records } from './records.js';
import { type Ending, WorkerProcess } from './worker-process.js';

export type Workers = Crew<WorkerProcess, Ending>;

export function startWorkers(
  ground: Ground,
  records: Records,
  options: { workers: number } & Omit<WorkerPlan, 'url' | 'prefix'>,
): Promise<Workers> {
  const { workers, ...rest } = options;
  const plan = { ...rest, prefix: ground.prefix };
  return Crew.start({ size: workers, url: ground.url, start: (url) => WorkerProcess.start({ ...plan, url }, records) });
}
