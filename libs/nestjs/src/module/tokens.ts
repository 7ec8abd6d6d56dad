import { Inject } from '@nestjs/common';

export const SETTINGS = Symbol('millrace:settings');
export const WORKER_ROLE = Symbol('millrace:worker-role');
export const FEATURE_CONTRACTS = Symbol('millrace:feature-contracts');
export const FEATURE_CHECK = Symbol('millrace:feature-check');
export const FEATURE_CLIENTS = Symbol('millrace:feature-clients');
export const FEATURE_ID = Symbol('millrace:feature-id');
export const FEATURE_QUEUES = Symbol('millrace:feature-queues');
export const DATABASE = Symbol('millrace:database');

/** Injects the `SqlDatabase` that the inbox is in. */
export function InjectDatabase(): PropertyDecorator & ParameterDecorator {
  return Inject(DATABASE);
}
