import { ConsoleLogger } from '@nestjs/common';
import { loadApplication } from './load-application.js';
import { runWorker } from './run-worker.js';
import type { RunningWorker } from './start-worker.js';

/** Runs the application that `MILLRACE_APP` names as a worker, as `runWorker` does; `MILLRACE_LOG=json` writes the log as JSON. */
export async function runApplication(env: NodeJS.ProcessEnv): Promise<RunningWorker> {
  const logger = new ConsoleLogger({ json: env['MILLRACE_LOG'] === 'json' });
  return runWorker(loadApplication(env), { logger });
}
