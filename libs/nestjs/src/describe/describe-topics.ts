import { asyncApiDocument } from '@millrace/core';
import { DiscoveryService, ModulesContainer, NestFactory } from '@nestjs/core';
import { Contracts } from '../explore/contracts.js';
import { HandlerFinder } from '../explore/handler-finder.js';
import { workerLogger } from '../worker/worker-logger.js';
import type { ApplicationModule } from '../worker/worker-options.js';

/**
 * The topics that the modules of an application publish (`MillraceModule.forFeature`) as an AsyncAPI 3.0 document. Nest looks at
 * the modules alone: no provider is made, so nothing connects to Redis or to a database.
 *
 * @throws MillraceError NOT_A_TOPIC; whatever keeps Nest from reading the modules
 */
export async function describeTopics(app: ApplicationModule): Promise<object> {
  const options = { preview: true, abortOnError: false, logger: workerLogger(false) };
  const context = await NestFactory.createApplicationContext(await app, options);
  const modules = context.get(ModulesContainer, { strict: false });
  return asyncApiDocument(new Contracts(new HandlerFinder(new DiscoveryService(modules))).topics(), []);
}
