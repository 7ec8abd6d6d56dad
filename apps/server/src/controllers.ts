import type { Type } from '@nestjs/common';
import { CallsController } from './calls.controller.js';
import { DocumentsController } from './documents.controller.js';
import { HealthController } from './health.controller.js';
import { JobsController } from './jobs.controller.js';
import { LiveController } from './live.controller.js';
import { MessagesController } from './messages.controller.js';
import { MetricsController } from './metrics.controller.js';
import { OperationsController } from './operations.controller.js';

/** The routes of the server. */
export const CONTROLLERS: readonly Type[] = [
  CallsController, DocumentsController, HealthController, JobsController, LiveController, MessagesController, MetricsController,
  OperationsController,
];
