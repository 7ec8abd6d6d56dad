import { MillraceError, quote } from '@millrace/core';
import type { RedisAddress } from '../connection/redis-target.js';

const HIGHEST_PORT = 65_535;

/**
 * @param what the servers, for the words of the error: `Sentinels`
 * @throws MillraceError INVALID_OPTIONS with every problem
 */
export function assertAddresses(addresses: readonly RedisAddress[], what: string): void {
  if (!Array.isArray(addresses) || addresses.length === 0) {
    throw new MillraceError('INVALID_OPTIONS', `No addresses of ${what} are given: name at least one, as { host, port }.`);
  }
  const problems = addresses.filter((address) => !isAddress(address)).map((address) => `${quote(address)} is no { host, port }`);
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `The addresses of ${what} are not all right.`, { problems });
}

function isAddress(address: unknown): boolean {
  if (typeof address !== 'object' || address === null) return false;
  const { host, port } = address as Partial<RedisAddress>;
  return typeof host === 'string' && /^\S+$/.test(host) && Number.isInteger(port) && port! > 0 && port! <= HIGHEST_PORT;
}
