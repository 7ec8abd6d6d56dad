import { getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { isJob, jobOf, MillraceError, newMessageId, type TopicRef } from '@millrace/core';
import type { ContractClass } from '@millrace/rpc';
import { queueModule } from '../jobs/feature-queues.js';
import { clientProvider } from '../rpc/client-provider.js';
import { type ConfiguredClient, contractIn, featureClients } from '../rpc/feature-clients.js';
import { FEATURE_CHECK, FEATURE_CLIENTS, FEATURE_CONTRACTS, FEATURE_ID, FEATURE_QUEUES, SETTINGS } from './tokens.js';

/** A topic, a job, or the contract of a service, with options of its client or without. */
export type FeatureEntry = TopicRef | ContractClass | ConfiguredClient;

/** The contracts that one module of the application publishes, enqueues and calls, with their queues and clients. */
@Module({})
export class MillraceFeatureModule {
  /** Values that are no contracts are reported when the application starts. */
  static of(entries: readonly FeatureEntry[]): DynamicModule {
    const contracts = entries.map(contractIn);
    const names = [...new Set(contracts.filter((type) => isJob(type)).map((job) => jobOf(job).queue))];
    const queues = names.map(queueModule);
    const all = featureClients(entries);
    const clients = all.map((client) => clientProvider(client, all));
    return {
      module: MillraceFeatureModule,
      imports: queues,
      providers: [
        { provide: FEATURE_CONTRACTS, useValue: contracts },
        { provide: FEATURE_CHECK, inject: [{ token: SETTINGS, optional: true }], useFactory: assertRooted },
        // Injected here, where only those of its own imports are seen: the application may have others of the same names.
        { provide: FEATURE_QUEUES, inject: names.map(getQueueToken), useFactory: (...made: unknown[]) => made },
        { provide: FEATURE_CLIENTS, useValue: all },
        // Options of clients hide in factories: applications that tell modules apart by their content would take two for one.
        { provide: FEATURE_ID, useValue: newMessageId() },
        ...clients,
      ],
      exports: [...queues, ...clients],
    };
  }
}

/** Without the root module nothing would read the contracts, and nothing would be published or handled. */
function assertRooted(settings?: object): void {
  if (settings) return;
  throw new MillraceError(
    'INVALID_OPTIONS',
    'MillraceModule.forFeature is imported, but MillraceModule.forRoot is not, so nothing can be published, enqueued, called or handled. Import ' +
      'MillraceModule.forRoot({ ... }) once, in the root module.',
  );
}
