import { MillraceError } from '@millrace/core';
import type { Rpc } from '@millrace/rpc';

export const PROBLEMS = ['cents must be an integer number', 'orderId must be a string'];

/** Serves `shop.failing`: its method `limit` throws an error of its own, and `check` refuses the request. */
export async function serveFailing(rpc: Rpc): Promise<void> {
  const limit = (): Promise<string> => Promise.reject(Object.assign(new Error('too much'), { code: 'LIMIT', data: { limit: 1_000 } }));
  const check = (): Promise<string> => Promise.reject(new MillraceError('INVALID_PAYLOAD', 'the payload is no valid Charge.', { problems: PROBLEMS }));
  const methods = new Map([['limit', { idempotent: false, handle: limit }], ['check', { idempotent: false, handle: check }]]);
  await rpc.serve({ service: 'shop.failing', version: '1', concurrency: 2, methods });
}
