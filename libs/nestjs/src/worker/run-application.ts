import { ConsoleLogger } from '@nestjs/common';
import { JsonLogger } from '../log/json-logger.js';
import { loadApplication } from './load-application.js';
import { runWorker } from './run-worker.js';
import type { RunningWorker } from './start-worker.js';

/** Runs the application that `MILLRACE_APP` names as a worker, as `runWorker` does. With `MILLRACE_LOG=json` its log is JSON. */
export async function runApplication(env: NodeJS.ProcessEnv): Promise<RunningWorker> {
  const logger = env['MILLRACE_LOG'] === 'json' ? new JsonLogger() : new ConsoleLogger();
  return runWorker(loadApplication(env), { logger });
}
