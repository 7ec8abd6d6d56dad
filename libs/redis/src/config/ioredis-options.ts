import { isIPv6 } from 'node:net';
import { MillraceError, unknownName } from '@millrace/core';
import { addressIn } from '../connection/redis-address.js';
import { isParts } from './redis-options.js';

type Options = Readonly<Record<string, unknown>>;

/** Where Redis is, in the words of the options of Millrace; they check the values. */
export type PlaceOfIoredis = { readonly url: string } | object;

const [PORT, SENTINEL_PORT] = [6_379, 26_379];
const [LOGIN, SERVER] = [['username', 'password', 'tls'], ['host', 'port', 'path', 'db']];
const SENTINELS = ['sentinels', 'name', 'sentinelUsername', 'sentinelPassword', 'sentinelTLS', 'enableTLSForSentinelMode', 'natMap', 'db'];
const PLACES: readonly string[] = [...LOGIN, ...SERVER, ...SENTINELS];
const TLS = ['ca', 'cert', 'key', 'servername'];

const NO_MEANING = 'it has no meaning here: leave it out';
const ALIKE = 'all nodes have the same user, password and certificates: those of cluster.options.redisOptions';
/** By name, why an option of ioredis is not taken over. */
const REFUSALS: ReadonlyMap<string, string> = new Map(Object.entries({
  'Millrace has a prefix for all its keys, the option prefix beside redis': ['keyPrefix'],
  'Millrace decides itself when it connects again, and which command is sent again: one that may have been executed would take effect twice': [
    'retryStrategy', 'reconnectOnError', 'maxRetriesPerRequest', 'autoResendUnfulfilledCommands', 'enableOfflineQueue', 'offlineQueue', 'commandQueue',
    'sentinelRetryStrategy', 'sentinelReconnectStrategy', 'clusterRetryStrategy', 'clusterNodeRetryStrategy', 'maxRedirections', 'retryDelayOnMoved',
    'retryDelayOnFailover', 'retryDelayOnClusterDown', 'retryDelayOnTryAgain', 'maxLoadingRetryTime', 'enableReadyCheck',
  ],
  'all commands go to primaries: a replica may not know yet what was confirmed': ['readOnly', 'role', 'scaleReads', 'preferredSlaves'],
  'Millrace decides itself which commands go together, and in which order': ['enableAutoPipelining', 'autoPipeliningIgnoredCommands'],
  'Millrace has times of its own, shorter than those after which others take work over': [
    'commandTimeout', 'socketTimeout', 'blockingTimeout', 'blockingTimeoutGrace', 'connectTimeout', 'disconnectTimeout', 'keepAlive', 'noDelay',
    'sentinelCommandTimeout', 'slotsRefreshTimeout', 'slotsRefreshInterval',
  ],
  'names of nodes are kept as they are, so that certificates fit them, and Node resolves them': ['dnsLookup', 'useSRVRecords', 'resolveSrv'],
  'the certificate of Redis is always checked, by its authority and its name': ['rejectUnauthorized', 'checkServerIdentity'],
  'Node tries the addresses of both families': ['family'],
  [NO_MEANING]: [
    'Connector', 'connectionName', 'disableClientInfo', 'clientInfoTag', 'lazyConnect', 'monitor', 'autoResubscribe', 'stringNumbers', 'protocol', 'replyMapping',
    'scripts', 'himportFieldsets', 'showFriendlyErrorStack', 'shardedSubscribers', 'failoverDetector', 'updateSentinels', 'sentinelMaxConnections',
    ...PLACES,
  ],
}).flatMap(([reason, names]) => names.map((name) => [name, reason] as const)));

/** Values that ask for no more than Millrace does: BullMQ demands the null, and Node tries the addresses of both families. */
const NEEDLESS: ReadonlyMap<string, readonly unknown[]> = new Map(Object.entries<readonly unknown[]>({
  keyPrefix: [''], maxRetriesPerRequest: [null, 0], autoResendUnfulfilledCommands: [false], enableOfflineQueue: [false], enableReadyCheck: [true],
  readOnly: [false], role: ['master'], scaleReads: ['master'], enableAutoPipelining: [false], rejectUnauthorized: [true], family: [0, 4, 6], db: [0],
}));

/**
 * Reads where Redis is from the options of a client of ioredis. Nothing is passed over: an option that is not taken over, and
 * asks for something else than Millrace does, is refused.
 *
 * @param given `RedisOptions` of ioredis, or `{ cluster: { nodes, options } }`: the arguments of its `Cluster`
 * @throws MillraceError INVALID_OPTIONS with every problem; values are in none
 */
export function placeOfIoredis(given: unknown, where: string): PlaceOfIoredis {
  assertNoClient(given, where);
  if (!isParts(given)) throw new MillraceError('INVALID_OPTIONS', `${where} must be the options of a client of ioredis. The URL of a Redis goes into redis itself.`);
  if ('cluster' in given) assertNoClient(given.cluster, where);
  const reading = new Reading();
  const place = placeIn(given as Options, reading);
  if (reading.problems.length > 0) throw refusal(where, reading.problems);
  return place;
}

/**
 * A client of ioredis sends commands again in its own way, and another library may use it as well.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertNoClient(value: unknown, where: string): void {
  if (!isParts(value) || !('sendCommand' in value)) return;
  const advice = 'Pass the options that the client was made of, as { ioredis: options }; Millrace makes connections of its own.';
  throw new MillraceError('INVALID_OPTIONS', `${where} is a client. ${advice}`);
}

function refusal(where: string, problems: readonly string[]): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `${where} has options that Millrace does not take over.`, { problems });
}

/** Takes options over, and notes the problems with the others. */
class Reading {
  readonly problems: string[] = [];

  /** @returns the options that are set and have one of these names */
  take(given: unknown, names: readonly string[], place = ''): Options {
    const entries = isParts(given) ? Object.entries(given).filter(([, value]) => value !== undefined) : [];
    if (given !== undefined && !isParts(given)) this.problems.push(`${place.slice(0, -1)} must be an object`);
    for (const [name, value] of entries) {
      if (!names.includes(name) && !isNeedless(name, value)) this.refuse(place + name, reasonFor(name, names));
    }
    return Object.fromEntries(entries.filter(([name, value]) => names.includes(name) && value !== null && value !== ''));
  }

  refuse(name: string, reason: string): void {
    this.problems.push(`${name}: ${reason}`);
  }

  login({ username, password, tls }: Options, place = ''): object {
    return { username, password, tls: this.tls(tls, `${place}tls`) };
  }

  tls(given: unknown, name: string): unknown {
    if (!isParts(given)) return given;
    const { servername, ...pems } = this.take(given, TLS, `${name}.`);
    return { ...Object.fromEntries(Object.entries(pems).map(([part, value]) => [part, pemOf(value)])), servername };
  }

  natMap(given: unknown, name: string): unknown {
    if (typeof given === 'function') this.refuse(name, 'it must be an object: Millrace shows it, and checks it, before anything connects');
    if (!isParts(given)) return given;
    const pairs = Object.entries(given).map(([announced, reachable]) => [bracketed(announced), withNumber(reachable)] as const);
    return Object.fromEntries(pairs);
  }
}

function isNeedless(name: string, value: unknown): boolean {
  return (value === null && PLACES.includes(name)) || (NEEDLESS.get(name)?.includes(value) ?? false);
}

function reasonFor(name: string, taken: readonly string[]): string {
  return REFUSALS.get(name) ?? unknownName('option', name, taken);
}

function placeIn(given: Options, reading: Reading): PlaceOfIoredis {
  if ('cluster' in given) return clusterIn(given, reading);
  return given['sentinels'] === undefined || given['sentinels'] === null ? serverIn(given, reading) : primaryIn(given, reading);
}

function serverIn(given: Options, reading: Reading): PlaceOfIoredis {
  const taken = reading.take(given, [...LOGIN, ...SERVER]);
  const { path, db, host, port } = taken;
  if (typeof path !== 'string') return { host, port: numberOf(port), database: numberOf(db), path, ...reading.login(taken) };
  for (const name of Object.keys(taken)) if (name !== 'path' && taken[name] !== 0) reading.refuse(name, 'a socket, which path names, is used without it');
  return { url: `unix://${path}` };
}

function primaryIn(given: Options, reading: Reading): object {
  const taken = reading.take(given, [...LOGIN, ...SENTINELS]);
  const { sentinels, name: primary, sentinelUsername: username, sentinelPassword: password, db } = taken;
  if (primary === undefined) reading.refuse('name', 'it is missing: the name under which the Sentinels watch the primary');
  if (taken['tls'] && taken['enableTLSForSentinelMode'] !== true) {
    reading.refuse('tls', 'ioredis encrypts nothing by it without enableTLSForSentinelMode: set that to true, or leave it out');
  }
  const tls = reading.tls(taken['sentinelTLS'], 'sentinelTLS');
  const nodes = addressesIn(sentinels, SENTINEL_PORT, (name, reason) => reading.refuse(`sentinels${name}`, reason));
  const natMap = reading.natMap(taken['natMap'], 'natMap');
  const sentinel = { nodes, primary, username, password, tls, natMap };
  return { sentinel, database: numberOf(db), ...reading.login(taken) };
}

function clusterIn(given: Options, reading: Reading): object {
  const { cluster } = reading.take(given, ['cluster']);
  const { nodes, options } = reading.take(cluster ?? null, ['nodes', 'options'], 'cluster.');
  const { natMap, redisOptions } = reading.take(options, ['natMap', 'redisOptions'], 'cluster.options.');
  const place = 'cluster.options.redisOptions.';
  const login = reading.take(redisOptions, LOGIN, place);
  const addresses = addressesIn(nodes, PORT, (name, reason) => reading.refuse(`cluster.nodes${name}`, reason));
  return { cluster: { nodes: addresses, natMap: reading.natMap(natMap, 'cluster.options.natMap') }, ...reading.login(login, place) };
}

/** The options of Millrace check them; ioredis takes a few more forms. */
function addressesIn(given: unknown, defaultPort: number, refuse: (name: string, reason: string) => void): unknown {
  if (!Array.isArray(given)) return given;
  return given.map((each: unknown, index) => {
    if (typeof each === 'number') return { host: '127.0.0.1', port: each };
    if (typeof each === 'string') return addressOfText(each);
    if (!isParts(each)) return each;
    const others = Object.keys(each).filter((part) => !['host', 'port', 'family'].includes(part));
    for (const part of others) refuse(`[${index}].${part}`, ALIKE);
    return withNumber({ port: defaultPort, ...each });
  });
}

/** A port alone, a URL without a user, or an address. */
function addressOfText(text: string): unknown {
  return /^\d+$/.test(text) ? { host: '127.0.0.1', port: numberOf(text) } : text.replace(/^redis:\/\/([^@/?#]+)\/?$/, '$1');
}

/** @returns the host and the port alone, the port as a number where it is written as text */
function withNumber(address: unknown): unknown {
  if (!isParts(address)) return address;
  const { host, port } = address as Options;
  return { host, port: numberOf(port) };
}

function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
}

function bracketed(nodeName: string): string {
  const { host, port } = addressIn(nodeName);
  return isIPv6(host) ? `[${host}]:${port}` : nodeName;
}

function pemOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pemOf).join('\n');
  return Buffer.isBuffer(value) ? value.toString('utf8') : value;
}
