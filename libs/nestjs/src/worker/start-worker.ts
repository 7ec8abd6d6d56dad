import { type INestApplicationContext, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MillraceError } from '@millrace/core';
import { readEnvironment } from '../config/environment.js';
import { Health } from '../health/health.js';
import { HealthServer } from '../health/health-server.js';
import { Services } from '../rpc/services.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { workerLogger } from './worker-logger.js';
import { type ApplicationModule, healthPortOf, parseWorkerOptions, selectedBy, type WorkerOptions } from './worker-options.js';
import { HostedRole, WorkerRoot } from './worker-root.js';

/** An application that runs as a worker. */
export interface RunningWorker {
  readonly app: INestApplicationContext;
  /** The address of the health probes, such as `http://127.0.0.1:3001`; null without them. */
  readonly healthUrl: string | null;
  /** Stops fetching, lets handlers finish, closes everything. May be called again. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts an application in the role of a worker: its handlers, no HTTP but health. For processes that mind their own signals
 * and failures; {@link runWorker} does that, too.
 *
 * A start that fails leaves nothing running and nothing connected.
 *
 * @throws MillraceError INVALID_OPTIONS, PORT_IN_USE, and whatever keeps the application from starting
 */
export async function startWorker(app: ApplicationModule, options: WorkerOptions = {}): Promise<RunningWorker> {
  const root = await app;
  const parsed = parseWorkerOptions(options);
  const port = healthPortOf(parsed, readEnvironment(process.env));
  const server = port ? await HealthServer.listen(port) : null;
  const role = new HostedRole(selectedBy(parsed), parsed.tags);
  try {
    const context = await NestFactory.createApplicationContext(WorkerRoot.of(root, role), {
      abortOnError: false,
      logger: workerLogger(parsed.logger),
    });
    const health = healthOf(context);
    server?.answerFor(health, context.get(Telemetry, { strict: false }));
    await warnOfIdleness(health, context.get(Services, { strict: false }));
    return runningWorker(context, server);
  } catch (error) {
    await role.closeUnstarted();
    await server?.close();
    throw error;
  }
}

function runningWorker(app: INestApplicationContext, server: HealthServer | null): RunningWorker {
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    await app.close();
    await server?.close();
  };
  return { app, healthUrl: server?.url ?? null, stop: () => (stopping ??= stop()) };
}

/** No handlers, as when their class is in no module's `providers`: nothing fails, and nothing is ever handled. */
async function warnOfIdleness(health: Health, services: Services): Promise<void> {
  const { subscriptions, workers, outbox } = await health.ready();
  if (subscriptions.length + workers.length + services.count > 0 || outbox !== null) return;
  new Logger('Millrace').warn(
    'This worker has no handlers, so it will do nothing: list the classes with @Subscribe, @JobHandler or @RpcService among the providers ' +
      'of a module that the application imports, and look whether MILLRACE_HANDLERS or the option handlers says none.',
  );
}

function healthOf(context: INestApplicationContext): Health {
  try {
    return context.get(Health, { strict: false });
  } catch (cause) {
    throw new MillraceError(
      'INVALID_OPTIONS',
      'The application has no handlers to run: its root module must import MillraceModule.forRoot().',
      { cause },
    );
  }
}

