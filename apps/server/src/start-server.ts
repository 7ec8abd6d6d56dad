import type { Server } from 'node:http';
import type { DynamicModule, INestApplication, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { MillraceError, workerLogger } from '@millrace/nestjs';
import { Admission } from './admission.js';
import { JSON_BODY } from './json-body.js';
import { ProblemFilter } from './problem.filter.js';
import { everyoneHere } from './principal.js';
import { ServerModule } from './server.module.js';
import type { MillraceServerOptions } from './server-module-options.js';
import type { ServerOptions } from './server-options.js';
import { TokenCheck } from './token-check.js';

/** How often Node looks for requests whose time is up. */
const LOOK_EVERY_MS = 1_000;

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
  const app = await NestFactory.create<NestExpressApplication>(ServerModule.of(root, rightsOf(options)), {
    abortOnError: false,
    bodyParser: false,
    logger: workerLogger(logger),
  });
  // The token is checked before the body is read, so that a stranger cannot make the server parse two megabytes.
  if (asksForToken(options)) app.use(new TokenCheck(app.get(Admission, { strict: false })).middleware);
  app.useBodyParser('json', JSON_BODY);
  app.useGlobalFilters(new ProblemFilter());
  app.disable('x-powered-by');
  app.enableShutdownHooks([], { useProcessExit: true });
  limitRequests(app.getHttpServer(), options.requestTimeoutMs);
  try {
    await app.listen(options.port, options.host);
  } catch (error) {
    await app.close();
    throw portInUse(error, options);
  }
  return app;
}

function asksForToken({ token, tokens }: ServerOptions): boolean {
  return token !== null || tokens.length > 0;
}

/** Without a token it listens on a loopback address alone, so it may be open in production, too. */
function rightsOf(options: ServerOptions): MillraceServerOptions {
  const { token, tokens, origins, redact, calls } = options;
  const others = { origins, redact, calls };
  if (!asksForToken(options)) return { authorize: everyoneHere, ...others };
  return { token: token ?? undefined, tokens: tokens.length > 0 ? tokens : undefined, ...others };
}

/** A request that has not come in whole by then is answered 408 by Node; it looks once a second. */
function limitRequests(server: Server, timeoutMs: number): void {
  const connectionsCheckingInterval = Math.min(timeoutMs, LOOK_EVERY_MS);
  Object.assign(server, { requestTimeout: timeoutMs, headersTimeout: timeoutMs, connectionsCheckingInterval });
}

function portInUse(error: unknown, { host, port }: ServerOptions): unknown {
  if ((error as { code?: unknown }).code !== 'EADDRINUSE') return error;
  return new MillraceError('PORT_IN_USE', `Port ${port} of ${host} is in use. End what listens there, or set MILLRACE_PORT to a free port.`, {
    cause: error,
  });
}
