import type { FactoryProvider } from '@nestjs/common';
import { Balancer, rpcClient } from '@millrace/rpc';
import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../module/tokens.js';
import { Calls } from './calls.js';
import { assertClients, type FeatureClient } from './feature-clients.js';

/**
 * Gives a client of the service to whoever injects the class of its contract. Without the root module there is none.
 *
 * @param all the clients of its module, whose problems are told together
 */
export function clientProvider({ contract, options }: FeatureClient, all: readonly FeatureClient[]): FactoryProvider {
  return {
    provide: contract,
    inject: [Calls, SETTINGS, Balancer].map((token) => ({ token, optional: true })),
    useFactory: (calls?: Calls, settings?: Settings, balancer?: Balancer) => {
      assertClients(all);
      return calls && rpcClient(contract, { calls, options, balancer, unknownProperties: settings?.unknownProperties });
    },
  };
}
