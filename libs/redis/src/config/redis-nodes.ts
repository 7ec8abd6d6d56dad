import { isIPv6 } from 'node:net';
import { MillraceError } from '@millrace/core';
import { isAddress, nodeNameOf, type RedisAddress, shownAddress } from '../connection/redis-address.js';

/** `host`, `host:port`, `[::1]`, `[::1]:port`. */
const ADDRESS = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;
const ADVICE = 'write host:port, or [::1]:port; the port is 1 to 65535';
const LOGIN = 'a user and a password have options of their own (username and password, or REDIS_USERNAME and REDIS_PASSWORD)';

/**
 * Addresses of servers.
 *
 * @param given each `'host:port'` or `{ host, port }`
 * @param where the option, for the words of the error
 * @param defaultPort for those that name none
 * @throws MillraceError INVALID_OPTIONS with every problem; passwords are in none
 */
export function addressesOf(given: unknown, where: string, defaultPort: number): RedisAddress[] {
  if (!Array.isArray(given) || given.length === 0) throw new MillraceError('INVALID_OPTIONS', `${where} must be a list of addresses, and not empty.`);
  return allOf(given, where, defaultPort);
}

/**
 * A map from announced addresses to reachable ones.
 *
 * @param given `{ 'announced:port': 'reachable:port' }`, or with `{ host, port }` in the place of the text
 * @returns by the names of nodes
 * @throws MillraceError INVALID_OPTIONS with every problem; passwords are in none
 */
export function natMapOf(given: unknown, where: string): Record<string, RedisAddress> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new MillraceError('INVALID_OPTIONS', `${where} must be an object: { 'announced:port': 'reachable:port' }.`);
  }
  const names = Object.keys(given);
  const addresses = allOf([...names, ...(Object.values(given) as unknown[])], where, null);
  assertOnce(addresses.slice(0, names.length).map(nodeNameOf), where);
  return Object.fromEntries(names.map((_, index) => [nodeNameOf(addresses[index]!), addresses[names.length + index]!]));
}

/**
 * A map of addresses as text: `announced:port=reachable:port`, separated by commas.
 *
 * @throws MillraceError INVALID_OPTIONS; its message has nothing of the text but addresses
 */
export function natMapIn(text: string, where: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => pair.split('=').map((side) => side.trim()));
  if (pairs.some((sides) => sides.length !== 2 || sides.includes(''))) {
    throw new MillraceError('INVALID_OPTIONS', `${where} must be pairs, announced:port=reachable:port, separated by commas.`);
  }
  assertOnce(pairs.map(([announced]) => announced!), where);
  return Object.fromEntries(pairs as [string, string][]);
}

function assertOnce(names: readonly string[], where: string): void {
  const again = names.find((name, index) => names.indexOf(name) !== index);
  if (again !== undefined) throw new MillraceError('INVALID_OPTIONS', `${where} leads ${shownAddress(again)} to two addresses: nobody can say which is meant.`);
}

/** @param defaultPort null where each has to name its own */
function allOf(given: readonly unknown[], where: string, defaultPort: number | null): RedisAddress[] {
  const addresses = given.map((each) => (typeof each === 'string' ? addressIn(each, defaultPort) : each));
  const problems = given.filter((_, index) => !isAddress(addresses[index])).map((each) => `${shownAddress(each)} is no address: ${adviceFor(each)}`);
  const what = defaultPort === null ? 'needs ports, and holds something that is no address' : 'holds something that is no address';
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `${where} ${what}.`, { problems: [...new Set(problems)] });
  return addresses as RedisAddress[];
}

function adviceFor(given: unknown): string {
  const [scheme] = typeof given === 'string' ? (/^\w+:\/\//.exec(given.trim()) ?? []) : [];
  const advice = scheme === undefined ? ADVICE : `${ADVICE}; leave out ${scheme}`;
  return shownAddress(given).includes('@') ? `${advice}; ${LOGIN}` : advice;
}

function addressIn(text: string, defaultPort: number | null): unknown {
  const [, bracketed, plain, port = defaultPort] = ADDRESS.exec(text.trim()) ?? [];
  const host = bracketed === undefined || isIPv6(bracketed) ? (bracketed ?? plain) : undefined;
  return { host, port: port === null ? undefined : Number(port) };
}
