import type { DynamicModule, INestApplication, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { MillraceError, workerLogger } from '@millrace/nestjs';
import { ProblemFilter } from './problem.filter.js';
import { ServerModule } from './server.module.js';
import type { ServerOptions } from './server-options.js';
import { TokenCheck } from './token-check.js';

/** Room for a payload of 1 MiB in whatever JSON a client writes it; what is larger as compact JSON is refused afterwards. */
const BODY_LIMIT = '2mb';

/**
 * Starts the HTTP API beside an application module.
 *
 * @throws MillraceError PORT_IN_USE, and whatever keeps the application from starting; nothing stays connected then
 */
export async function startServer(
  root: Type | DynamicModule,
  options: ServerOptions,
  logger: LoggerService,
): Promise<INestApplication> {
  const app = await NestFactory.create<NestExpressApplication>(ServerModule.of(root), {
    abortOnError: false,
    bodyParser: false,
    logger: workerLogger(logger),
  });
  const check = new TokenCheck(options.token);
  // Before the body is read: who may not use the server cannot make it parse two megabytes.
  app.use(check.middleware);
  app.useBodyParser('json', { limit: BODY_LIMIT, strict: true });
  app.useGlobalFilters(new ProblemFilter());
  app.disable('x-powered-by');
  app.enableShutdownHooks([], { useProcessExit: true });
  try {
    await app.listen(options.port, options.host);
  } catch (error) {
    await app.close();
    throw portInUse(error, options);
  }
  return app;
}

function portInUse(error: unknown, { host, port }: ServerOptions): unknown {
  if ((error as { code?: unknown }).code !== 'EADDRINUSE') return error;
  return new MillraceError('PORT_IN_USE', `Port ${port} of ${host} is in use. End what listens there, or set MILLRACE_PORT to a free port.`, {
    cause: error,
  });
}
