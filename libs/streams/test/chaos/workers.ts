import { Crew } from '@millrace/testing';
import type { SiteGround } from '../site-ground.js';
import type { WorkerPlan } from './plan.js';
import type { Records } from './records.js';
import { type Ending, WorkerProcess } from './worker-process.js';

export type Workers = Crew<WorkerProcess, Ending>;

export function startWorkers(
  ground: SiteGround,
  records: Records,
  options: { workers: number } & Omit<WorkerPlan, 'target' | 'prefix'>,
): Promise<Workers> {
  const { workers, ...rest } = options;
  const plan = { ...rest, prefix: ground.prefix };
  return Crew.start({
    size: workers,
    network: () => ground.network(),
    start: (target) => WorkerProcess.start({ ...plan, target }, records),
  });
}
