import { ConsoleLogger } from '@nestjs/common';
import { JsonLogger, loadApplication, reportStartFailure } from '@millrace/nestjs';
import { readServerOptions } from './server-options.js';
import { startServer } from './start-server.js';

/** Serves the application that `MILLRACE_APP` names; a start that fails ends the process with code 1. */
export async function serveApplication(): Promise<void> {
  const logger = process.env['MILLRACE_LOG'] === 'json' ? new JsonLogger() : new ConsoleLogger();
  try {
    const options = readServerOptions(process.env);
    await startServer(await loadApplication(process.env), options, logger);
    logger.log(`listening on ${options.host}:${options.port}`, 'Millrace');
  } catch (error) {
    reportStartFailure(error, { logger, debug: process.env['MILLRACE_DEBUG'] === '1' });
    process.exit(1);
  }
}
