import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { withoutHandlers } from '@millrace/nestjs';
import { HealthController } from './health.controller.js';
import { HttpConnections } from './http-connections.js';
import { MillraceServerModule } from './millrace-server.module.js';
import { OwnRoutes } from './own-routes.guard.js';
import type { MillraceServerOptions } from './server-module-options.js';

/** The HTTP API beside an application whose contracts it uses and whose handlers it leaves to workers. */
@Module({})
export class ServerModule {
  static of(app: Type | DynamicModule, options: MillraceServerOptions): DynamicModule {
    return {
      module: ServerModule,
      imports: [withoutHandlers(app), MillraceServerModule.forRoot(options)],
      // Beside its place in the API: probes do not know that.
      controllers: [HealthController],
      providers: [{ provide: APP_GUARD, useClass: OwnRoutes }, HttpConnections],
    };
  }
}
