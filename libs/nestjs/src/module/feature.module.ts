import { type DynamicModule, Module } from '@nestjs/common';
import { isJob, jobOf, type PayloadClass } from '@millrace/core';
import { queueModule } from '../jobs/feature-queues.js';
import { FEATURE_CONTRACTS } from './tokens.js';

/** The contracts that one module of the application publishes and enqueues, and the queues that come with them. */
@Module({})
export class MillraceFeatureModule {
  /** What is no contract is reported when the application starts. */
  static of(contracts: readonly PayloadClass[]): DynamicModule {
    const queues = [...new Set(contracts.filter(isJob).map((job) => jobOf(job).queue))].map(queueModule);
    return {
      module: MillraceFeatureModule,
      imports: queues,
      providers: [{ provide: FEATURE_CONTRACTS, useValue: contracts }],
      exports: queues,
    };
  }
}
