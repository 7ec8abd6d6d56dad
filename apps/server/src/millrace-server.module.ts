import { type DynamicModule, Module } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { Admission, SERVER_SETTINGS } from './admission.js';
import { BodyClaim } from './body-claim.js';
import { Gate } from './gate.guard.js';
import { HealthController } from './health.controller.js';
import { JobsController } from './jobs.controller.js';
import { MessagesController } from './messages.controller.js';
import { MetricsController } from './metrics.controller.js';
import { OperationsController } from './operations.controller.js';
import { MillraceServerOptions, readServerSettings } from './server-module-options.js';

/**
 * The HTTP API of Millrace in an application that imports `MillraceModule`, on Express or Fastify: operators' use cases, publish,
 * enqueue, health and metrics under `/millrace/api/v1`. Global filters, pipes and parsers of the application stay as they are.
 */
@Module({})
export class MillraceServerModule {
  /** @throws MillraceError INVALID_OPTIONS */
  static forRoot(options: MillraceServerOptions = {}): DynamicModule {
    const settings = readServerSettings(options, process.env);
    return {
      module: MillraceServerModule,
      imports: [RouterModule.register([{ path: settings.base, module: MillraceServerModule }])],
      controllers: [HealthController, MetricsController, OperationsController, MessagesController, JobsController],
      providers: [{ provide: SERVER_SETTINGS, useValue: settings }, Admission, BodyClaim, Gate],
    };
  }
}
