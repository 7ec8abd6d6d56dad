import { randomBytes } from 'node:crypto';

/** A name that no other test uses: `orders-3f9a0c51d2b7`. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString('hex')}`;
}
