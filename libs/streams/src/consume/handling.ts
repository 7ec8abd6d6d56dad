import type { BatchHandler, BatchRule, DeliveryHandler } from '@millrace/core';

/** How messages are handed over: each alone, at once; or together by a rule. */
export type Handling =
  | { readonly rule: null; readonly handler: DeliveryHandler }
  | { readonly rule: BatchRule; readonly handler: BatchHandler };
