import { getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { isJob, jobOf, MillraceError, type PayloadClass } from '@millrace/core';
import { queueModule } from '../jobs/feature-queues.js';
import { FEATURE_CONTRACTS, FEATURE_QUEUES, SETTINGS } from './tokens.js';

/** The contracts that one module of the application publishes and enqueues, and the queues that come with them. */
@Module({})
export class MillraceFeatureModule {
  /** Classes that are no contracts are reported when the application starts. */
  static of(contracts: readonly PayloadClass[]): DynamicModule {
    const names = [...new Set(contracts.filter(isJob).map((job) => jobOf(job).queue))];
    const queues = names.map(queueModule);
    return {
      module: MillraceFeatureModule,
      imports: queues,
      providers: [
        { provide: FEATURE_CONTRACTS, inject: [{ token: SETTINGS, optional: true }], useFactory: rooted(contracts) },
        // Injected here, where only those of its own imports are seen: the application may have others of the same names.
        { provide: FEATURE_QUEUES, inject: names.map(getQueueToken), useFactory: (...made: unknown[]) => made },
      ],
      exports: queues,
    };
  }
}

/** Without the root module nothing would read the contracts, and nothing would be published or handled. */
function rooted(contracts: readonly PayloadClass[]): (settings?: object) => readonly PayloadClass[] {
  return (settings) => {
    if (settings) return contracts;
    throw new MillraceError(
      'INVALID_OPTIONS',
      'MillraceModule.forFeature is imported, but MillraceModule.forRoot is not, so nothing can be published, enqueued or handled. Import ' +
        'MillraceModule.forRoot({ ... }) once, in the root module.',
    );
  };
}
