import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { withoutHandlers } from '@millrace/nestjs';
import { HealthController } from './health.controller.js';
import { JobsController } from './jobs.controller.js';
import { MessagesController } from './messages.controller.js';

/** The HTTP API beside an application whose contracts it uses and whose handlers it leaves to workers. */
@Module({})
export class ServerModule {
  static of(app: Type | DynamicModule): DynamicModule {
    return {
      module: ServerModule,
      imports: [withoutHandlers(app)],
      controllers: [HealthController, JobsController, MessagesController],
    };
  }
}
