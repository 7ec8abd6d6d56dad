import type { ServedMethod } from '@millrace/rpc';
import type { Handle } from './rpc-ground.js';

/** The methods of the service as each instance of it has them, in whichever process; `once` alone is not idempotent. */
export function methodsWith(handle: Handle, slow: Handle = handle): ReadonlyMap<string, ServedMethod> {
  return new Map([
    ['again', { idempotent: true, handle }],
    ['once', { idempotent: false, handle }],
    ['slow', { idempotent: true, handle: slow }],
    ['fail', { idempotent: true, handle: () => Promise.reject(new Error('as planned')) }],
  ]);
}
