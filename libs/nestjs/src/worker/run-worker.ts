import { ConsoleLogger, Logger } from '@nestjs/common';
import { asError, isMillraceError } from '@millrace/core';
import { shown } from '../log/failure-text.js';
import { type ShutdownSignal, ShutdownSignals } from './shutdown-signals.js';
import { shutdownTimeoutOf } from './shutdown-timeout.js';
import { reportStartFailure } from './start-failure.js';
import { type RunningWorker, startWorker } from './start-worker.js';
import type { ApplicationModule, WorkerOptions } from './worker-options.js';

/** How long closing may take beyond the shutdown timeout of the handlers before the process ends without it. */
const CLOSE_GRACE_MS = 10_000;

/**
 * Runs an application as a worker process: its handlers, no HTTP but health. Resolves when it works.
 *
 * The process ends with code 0 when it was asked to stop (SIGTERM, SIGINT) and handlers could finish; with 1 when it cannot
 * start, which it reports in one sentence, or cannot stop in time; with 143 or 130 at once when it is asked a second time.
 */
export async function runWorker(app: ApplicationModule, options: WorkerOptions = {}): Promise<RunningWorker> {
  const signals = new ShutdownSignals();
  try {
    const worker = await startWorker(app, options);
    void signals.asked.then((signal) => shutDown(worker, signal));
    return {
      ...worker,
      stop: () => {
        signals.ignore();
        return worker.stop();
      },
    };
  } catch (error) {
    if (signals.isAsked && isMillraceError(error) && error.code === 'CLOSED') endUnstarted(options);
    reportStartFailure(error, { logger: options.logger ?? new ConsoleLogger(), debug: isDebug(process.env) });
    process.exit(1);
  }
}

/** It was asked to stop while it waited for other processes, and nothing of it had begun. */
function endUnstarted({ logger = new ConsoleLogger() }: WorkerOptions): never {
  if (logger) logger.log('stopped before the start had ended', 'Millrace');
  process.exit(0);
}

async function shutDown(worker: RunningWorker, signal: ShutdownSignal): Promise<never> {
  const logger = new Logger('Millrace');
  const shutdownTimeoutMs = shutdownTimeoutOf(worker.app);
  logger.log(`${signal}: stopping; handlers at work have ${shutdownTimeoutMs / 1000} s to finish`);
  setTimeout(() => {
    logger.error(`Something of the application did not stop in ${(shutdownTimeoutMs + CLOSE_GRACE_MS) / 1000} s: ending without it`);
    process.exit(1);
  }, shutdownTimeoutMs + CLOSE_GRACE_MS);
  try {
    await worker.stop();
  } catch (thrown) {
    logger.error(`Stopping failed: ${shown(asError(thrown).message)}`);
    process.exit(1);
  }
  logger.log('stopped');
  process.exit(0);
}

/** A wrong environment is one of the failures to report, so this one variable is read as it is. */
function isDebug({ MILLRACE_DEBUG }: NodeJS.ProcessEnv): boolean {
  return MILLRACE_DEBUG === '1' || MILLRACE_DEBUG === 'true';
}
