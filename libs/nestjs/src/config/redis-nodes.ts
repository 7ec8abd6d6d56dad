import { isIP } from 'node:net';
import { MillraceError, quote } from '@millrace/core';
import type { RedisAddress } from '@millrace/redis';

const HIGHEST_PORT = 65_535;
const NAME = /^[A-Za-z0-9._-]{1,253}$/;
/** `host`, `host:port`, `[::1]`, `[::1]:port`. */
const ADDRESS = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

/**
 * Addresses of servers.
 *
 * @param given each `'host:port'` or `{ host, port }`
 * @param where the option, for the words of the error
 * @param defaultPort for those that name none
 * @throws MillraceError INVALID_OPTIONS with every problem
 */
export function addressesOf(given: unknown, where: string, defaultPort: number): RedisAddress[] {
  if (!Array.isArray(given) || given.length === 0) throw new MillraceError('INVALID_OPTIONS', `${where} must be a list of addresses, and not empty.`);
  const addresses = given.map((each) => addressOf(each, defaultPort));
  const problems = given.filter((_, index) => addresses[index] === null).map((each) => `${quote(each)} is no address: write host:port`);
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `${where} has addresses that are none.`, { problems });
  return addresses as RedisAddress[];
}

/**
 * A map from announced addresses to reachable ones.
 *
 * @param given `{ 'announced:port': 'reachable:port' }`, or with `{ host, port }` in the place of the text
 * @throws MillraceError INVALID_OPTIONS
 */
export function natMapOf(given: unknown, where: string): Record<string, RedisAddress> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new MillraceError('INVALID_OPTIONS', `${where} must be an object: { 'announced:port': 'reachable:port' }.`);
  }
  const names = Object.keys(given);
  const reachable: unknown[] = Object.values(given);
  if (names.length === 0) return {};
  const [from, to] = [addressesOf(names, where, 0), addressesOf(reachable, where, 0)];
  const withoutPort = [...names, ...reachable].filter((_, index) => [...from, ...to][index]!.port === 0);
  if (withoutPort.length > 0) throw new MillraceError('INVALID_OPTIONS', `${where} needs ports: ${withoutPort.map((each) => quote(each)).join(', ')} names none.`);
  return Object.fromEntries(names.map((name, index) => [name, to[index]!]));
}

function addressOf(given: unknown, defaultPort: number): RedisAddress | null {
  const { host, port } = typeof given === 'string' ? partsOf(given.trim(), defaultPort) : ((given ?? {}) as Partial<RedisAddress>);
  const isHost = typeof host === 'string' && (isIP(host) !== 0 || NAME.test(host));
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= HIGHEST_PORT;
  return isHost && isPort ? { host, port } : null;
}

function partsOf(text: string, defaultPort: number): Partial<RedisAddress> {
  const [, bracketed, plain, port] = ADDRESS.exec(text) ?? [];
  const host = bracketed ?? plain;
  return host === undefined ? {} : { host, port: port === undefined ? defaultPort : Number(port) };
}
