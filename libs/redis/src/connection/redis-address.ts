import { isIP } from 'node:net';
import { MillraceError, quote } from '@millrace/core';
import { maskUrl } from './redis-url.js';

/** The address of a server: a name or a number, such as `redis.example` or `::1`, and the port. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** The name of a node, {@link nodeNameOf} -> the address at which this process reaches it. */
export type NatMap = Readonly<Record<string, RedisAddress>>;

const HIGHEST_PORT = 65_535;
const NAME = /^[A-Za-z0-9._-]{1,253}$/;
const PARTS: readonly string[] = ['host', 'port'];

/** The name of a node of a Cluster: its address as nodes announce it to each other and in redirects, IPv6 without brackets. */
export function nodeNameOf({ host, port }: RedisAddress): string {
  return `${host}:${port}`;
}

/** The address in the name of a node. The host of IPv6 has colons itself. */
export function addressIn(nodeName: string): RedisAddress {
  const colon = nodeName.lastIndexOf(':');
  return { host: nodeName.slice(0, colon), port: Number(nodeName.slice(colon + 1)) };
}

/** Whether it is a name, or an address of numbers, alone. */
export function isHost(value: unknown): value is string {
  return typeof value === 'string' && (isIP(value) !== 0 || NAME.test(value));
}

/** Whether it is the host and the port of a server, and nothing else. */
export function isAddress(value: unknown): value is RedisAddress {
  if (typeof value !== 'object' || value === null || Object.keys(value).some((name) => !PARTS.includes(name))) return false;
  const { host, port } = value as Partial<RedisAddress>;
  return isHost(host) && Number.isInteger(port) && port! > 0 && port! <= HIGHEST_PORT;
}

/** An address, or what was given in its place, as it may be shown: it may hold a password by mistake. */
export function shownAddress(value: unknown): string {
  if (typeof value === 'string') return quote(maskUrl(value));
  if (typeof value !== 'object' || value === null) return quote(value);
  const { host, port } = value as { host?: unknown; port?: unknown };
  const others = Object.keys(value).filter((name) => !PARTS.includes(name)).map((name) => `, ${name}`).join('');
  return `{ host: ${shownAddress(host)}, port: ${typeof port === 'number' ? port : quote(port)}${others} }`;
}

/**
 * @param what the servers, for the words of the error: `Sentinels`
 * @throws MillraceError INVALID_OPTIONS with every problem
 */
export function assertAddresses(addresses: unknown, what: string): void {
  if (!Array.isArray(addresses) || addresses.length === 0) {
    throw new MillraceError('INVALID_OPTIONS', `No addresses of ${what} are given: name at least one, as { host, port }.`);
  }
  const problems = addresses.filter((address) => !isAddress(address)).map((address) => `${shownAddress(address)} is no { host, port }`);
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `The addresses of ${what} are not all right.`, { problems });
}

/**
 * @param natMap as that of a Cluster; undefined for none
 * @throws MillraceError INVALID_OPTIONS with every problem
 */
export function assertNatMap(natMap: NatMap | undefined): void {
  if (natMap && Object.keys(natMap).length > 0) assertAddresses([...Object.keys(natMap).map(addressIn), ...Object.values(natMap)], 'natMap');
}
