import { getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { isJob, jobOf, type PayloadClass } from '@millrace/core';
import { queueModule } from '../jobs/feature-queues.js';
import { FEATURE_CONTRACTS, FEATURE_QUEUES } from './tokens.js';

/** The contracts that one module of the application publishes and enqueues, and the queues that come with them. */
@Module({})
export class MillraceFeatureModule {
  /** What is no contract is reported when the application starts. */
  static of(contracts: readonly PayloadClass[]): DynamicModule {
    const names = [...new Set(contracts.filter(isJob).map((job) => jobOf(job).queue))];
    const queues = names.map(queueModule);
    return {
      module: MillraceFeatureModule,
      imports: queues,
      providers: [
        { provide: FEATURE_CONTRACTS, useValue: contracts },
        // Injected here, where only those of its own imports are seen: the application may have others of the same names.
        { provide: FEATURE_QUEUES, inject: names.map(getQueueToken), useFactory: (...made: unknown[]) => made },
      ],
      exports: queues,
    };
  }
}
