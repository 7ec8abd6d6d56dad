import { type Duration, isName, IsDurationOption, IsName, MillraceError, parseOptions, type Parsed } from '@millrace/core';
import { DEFAULT_REDIS_URL } from '@millrace/redis';
import { IsIn, IsOptional, IsPort, IsString, Matches, ValidateBy } from 'class-validator';
import { SELECTION_WORDS, type SelectionWord } from './handler-selection.js';

/** A token that can stand behind `Authorization: Bearer`, and is long enough. */
const TOKEN = /^[!-~]{32,512}$/;

/** Text of the environment, checked but not converted. An empty value counts as not set. */
class Environment {
  @IsOptional() @IsString()
  REDIS_URL?: string;

  @IsOptional() @IsString()
  REDIS_CLUSTER_NODES?: string;

  @IsOptional() @IsString()
  REDIS_SENTINELS?: string;

  @IsOptional() @IsString()
  REDIS_SENTINEL_PRIMARY?: string;

  @IsOptional() @IsString()
  REDIS_SENTINEL_USERNAME?: string;

  @IsOptional() @IsString()
  REDIS_SENTINEL_PASSWORD?: string;

  @IsOptional() @IsIn(['0', '1', 'true', 'false'])
  REDIS_SENTINEL_TLS?: string;

  @IsOptional() @IsString()
  REDIS_USERNAME?: string;

  @IsOptional() @IsString()
  REDIS_PASSWORD?: string;

  @IsOptional() @IsIn(['0', '1', 'true', 'false'])
  REDIS_TLS?: string;

  @IsOptional() @IsString()
  REDIS_NAT_MAP?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_CA?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_CERT?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_KEY?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_SERVERNAME?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_SENTINEL_CA?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_SENTINEL_CERT?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_SENTINEL_KEY?: string;

  @IsOptional() @IsString()
  MILLRACE_REDIS_SENTINEL_SERVERNAME?: string;

  @IsOptional() @IsString()
  DATABASE_URL?: string;

  @IsOptional() @IsDurationOption({ min: '1m', max: '36500d' })
  MILLRACE_INBOX_KEEP?: Duration;

  @IsOptional() @IsIn(['0', '1', 'true', 'false'])
  MILLRACE_OUTBOX?: string;

  @IsOptional() @IsName('key prefix')
  MILLRACE_PREFIX?: string;

  @IsOptional() @IsDurationOption({ min: '500ms', max: '1h' })
  MILLRACE_LEASE?: Duration;

  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  MILLRACE_SHUTDOWN_TIMEOUT?: Duration;

  @IsOptional() @IsIn(SELECTION_WORDS)
  MILLRACE_HANDLERS?: SelectionWord;

  @IsOptional() @IsNameList('MILLRACE_GROUPS')
  MILLRACE_GROUPS?: string;

  @IsOptional() @IsNameList('MILLRACE_QUEUES')
  MILLRACE_QUEUES?: string;

  @IsOptional() @IsNameList('MILLRACE_SERVICES')
  MILLRACE_SERVICES?: string;

  @IsOptional() @IsNameList('MILLRACE_TAGS')
  MILLRACE_TAGS?: string;

  @IsOptional() @IsString()
  MILLRACE_APP?: string;

  @IsOptional() @IsPort()
  MILLRACE_HEALTH_PORT?: string;

  @IsOptional() @IsString()
  MILLRACE_HEALTH_HOST?: string;

  @IsOptional() @IsIn(['0', '1', 'true', 'false'])
  MILLRACE_HEALTH_DETAILS?: string;

  @IsOptional() @IsPort()
  MILLRACE_PORT?: string;

  @IsOptional() @IsString()
  MILLRACE_HOST?: string;

  @IsOptional() @Matches(TOKEN, { message: 'MILLRACE_TOKEN must have 32 to 512 visible ASCII characters and no space: no client could send another' })
  MILLRACE_TOKEN?: string;

  @IsOptional() @IsString()
  MILLRACE_TOKENS_FILE?: string;

  @IsOptional() @IsString()
  MILLRACE_ORIGINS?: string;

  @IsOptional() @IsString()
  MILLRACE_REDACT?: string;

  @IsOptional() @IsIn(['0', '1', 'true', 'false'])
  MILLRACE_HTTP_CALLS?: string;

  @IsOptional() @IsDurationOption({ min: '100ms', max: '1h' })
  MILLRACE_REQUEST_TIMEOUT?: Duration;

  @IsOptional() @IsString()
  MILLRACE_URL?: string;

  @IsOptional() @IsIn(['text', 'json'])
  MILLRACE_LOG?: string;

  @IsOptional() @IsIn(['0', '1', 'true', 'false'])
  MILLRACE_DEBUG?: string;
}

export type EnvironmentValues = Parsed<Environment>;

export interface EnvironmentVariable {
  readonly name: keyof EnvironmentValues;
  /** The value when it is not set; empty for none. */
  readonly default: string;
  readonly description: string;
}

/** Every variable that Millrace reads, in the order of `.env.example`. */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  {
    name: 'REDIS_URL',
    default: DEFAULT_REDIS_URL,
    description: 'Redis 7.0 or newer: redis://user:password@host:6379/0, rediss:// for TLS. In a password %23 for #, %2F for /, %3F for ?, %40 for @.',
  },
  {
    name: 'REDIS_CLUSTER_NODES',
    default: '',
    description: 'In place of REDIS_URL: nodes of a Redis Cluster, host:port, separated by commas. They tell of all others.',
  },
  {
    name: 'REDIS_SENTINELS',
    default: '',
    description: 'In place of REDIS_URL: Sentinels that know the primary, host:port, separated by commas.',
  },
  { name: 'REDIS_SENTINEL_PRIMARY', default: '', description: 'The name under which the Sentinels watch the primary.' },
  { name: 'REDIS_SENTINEL_USERNAME', default: '', description: 'The user of the Sentinels themselves. Empty: default.' },
  { name: 'REDIS_SENTINEL_PASSWORD', default: '', description: 'The password of the Sentinels themselves. Empty: none.' },
  { name: 'REDIS_SENTINEL_TLS', default: '0', description: 'With REDIS_SENTINELS: 1 for connections to the Sentinels themselves that are encrypted.' },
  { name: 'REDIS_USERNAME', default: '', description: 'The user of the servers that store data, where REDIS_URL names none. Empty: default.' },
  { name: 'REDIS_PASSWORD', default: '', description: 'The password of that user, not encoded. Empty: none.' },
  { name: 'REDIS_TLS', default: '0', description: 'With REDIS_CLUSTER_NODES or REDIS_SENTINELS: 1 for connections that are encrypted.' },
  {
    name: 'REDIS_NAT_MAP',
    default: '',
    description: 'Addresses that servers announce, and those at which they are reached from here: announced:port=reachable:port, separated by commas.',
  },
  {
    name: 'MILLRACE_REDIS_CA',
    default: '',
    description: 'For rediss://: the authorities that may have signed the certificate of Redis, as a path or PEM text. Empty: those that Node knows.',
  },
  {
    name: 'MILLRACE_REDIS_CERT',
    default: '',
    description: 'For a Redis that asks for a certificate: that of this process, as a path or PEM text.',
  },
  { name: 'MILLRACE_REDIS_KEY', default: '', description: 'The private key of MILLRACE_REDIS_CERT, as a path or PEM text.' },
  {
    name: 'MILLRACE_REDIS_SERVERNAME',
    default: '',
    description: 'The name that the certificate of Redis must have. Empty: the host of the URL.',
  },
  {
    name: 'MILLRACE_REDIS_SENTINEL_CA',
    default: '',
    description: 'Authorities that may have signed the certificates of the Sentinels, as a path or PEM text. Empty: MILLRACE_REDIS_CA.',
  },
  {
    name: 'MILLRACE_REDIS_SENTINEL_CERT',
    default: '',
    description: 'For Sentinels that ask for a certificate: that of this process, as a path or PEM text. Empty: MILLRACE_REDIS_CERT.',
  },
  {
    name: 'MILLRACE_REDIS_SENTINEL_KEY',
    default: '',
    description: 'The private key of MILLRACE_REDIS_SENTINEL_CERT, as a path or PEM text. Empty: MILLRACE_REDIS_KEY.',
  },
  {
    name: 'MILLRACE_REDIS_SENTINEL_SERVERNAME',
    default: '',
    description: 'The name that the certificates of the Sentinels must have. Empty: MILLRACE_REDIS_SERVERNAME.',
  },
  {
    name: 'DATABASE_URL',
    default: '',
    description: 'PostgreSQL for the inbox: postgres://user:password@host:5432/name. Empty: no inbox.',
  },
  {
    name: 'MILLRACE_INBOX_KEEP',
    default: '7d',
    description: 'How long the inbox remembers a message: one that is delivered again later takes effect again.',
  },
  {
    name: 'MILLRACE_OUTBOX',
    default: '',
    description: 'Whether this process publishes what stands in the outbox: 1 or 0. Empty: as the application says.',
  },
  { name: 'MILLRACE_PREFIX', default: 'millrace', description: 'First part of every key in Redis.' },
  {
    name: 'MILLRACE_LEASE',
    default: '15s',
    description: 'How long a silent process keeps its messages and jobs before others take them over.',
  },
  {
    name: 'MILLRACE_SHUTDOWN_TIMEOUT',
    default: '25s',
    description: 'How long handlers at work, and requests of the server alone, may take to finish when the process is asked to stop.',
  },
  {
    name: 'MILLRACE_HANDLERS',
    default: '',
    description: 'Which handlers a process runs: all, none, or broadcasts (those of no group and no queue). Empty: all, or those named below.',
  },
  {
    name: 'MILLRACE_GROUPS',
    default: '',
    description: 'Consumer groups to run, separated by commas, in place of MILLRACE_HANDLERS. With MILLRACE_QUEUES empty: no queue.',
  },
  { name: 'MILLRACE_QUEUES', default: '', description: 'Job queues to work on, separated by commas, in place of MILLRACE_HANDLERS. With MILLRACE_GROUPS empty: no group.' },
  { name: 'MILLRACE_SERVICES', default: '', description: 'Services to serve, separated by commas, in place of MILLRACE_HANDLERS. Empty with one of the two above: none.' },
  { name: 'MILLRACE_TAGS', default: '', description: 'Tags of the instances of its services, separated by commas: callers may choose instances by them. Empty: none.' },
  {
    name: 'MILLRACE_APP',
    default: '',
    description: 'For the worker host and the server: path to the JavaScript file of the application module.',
  },
  {
    name: 'MILLRACE_HEALTH_PORT',
    default: '',
    description: 'Port of a worker for GET /health/live and /health/ready. Empty: none is opened.',
  },
  {
    name: 'MILLRACE_HEALTH_HOST',
    default: '127.0.0.1',
    description: 'Address that the health port listens on; 0.0.0.0 lets probes from outside a container in.',
  },
  {
    name: 'MILLRACE_HEALTH_DETAILS',
    default: '0',
    description: '1: readiness at the health port tells whoever asks of topics, addresses and texts of errors. 0: the state alone.',
  },
  { name: 'MILLRACE_PORT', default: '3000', description: 'For the server (apps/server): port of the HTTP API.' },
  {
    name: 'MILLRACE_HOST',
    default: '127.0.0.1',
    description: 'For the server: address that it listens on. Any but a loopback address needs MILLRACE_TOKEN or MILLRACE_TOKENS_FILE.',
  },
  {
    name: 'MILLRACE_TOKEN',
    default: '',
    description: 'For the server: what clients send as Authorization: Bearer; 32 to 512 visible ASCII characters, no space.',
  },
  {
    name: 'MILLRACE_TOKENS_FILE',
    default: '',
    description: 'For the server: a file of tokens with the rights of each, in JSON: [{ "name": "ann", "sha256": "...", "role": "viewer" }].',
  },
  {
    name: 'MILLRACE_ORIGINS',
    default: '',
    description: 'For the server behind a proxy that writes another Host: origins of its pages, as https://ops.example.com, separated by commas.',
  },
  {
    name: 'MILLRACE_REDACT',
    default: '',
    description: 'For the server: fields of payloads and headers that nobody sees, as authorization,card.number, separated by commas.',
  },
  { name: 'MILLRACE_HTTP_CALLS', default: '0', description: 'For the server: 1 lets those who may send call methods of services, too.' },
  {
    name: 'MILLRACE_REQUEST_TIMEOUT',
    default: '30s',
    description: 'For the server: how long a request may take to come in whole; then it is answered 408.',
  },
  {
    name: 'MILLRACE_URL',
    default: '',
    description: 'For the command line: the server whose HTTP API it asks, as http://127.0.0.1:3000. Empty: it works on Redis itself.',
  },
  { name: 'MILLRACE_LOG', default: 'text', description: 'How the worker host and the server write their log: text or json.' },
  { name: 'MILLRACE_DEBUG', default: '0', description: 'With 1, a failed start prints stack traces.' },
];

/** Variables of the test suite: not ours to read, and no mistake either. */
const TEST_PREFIX = 'MILLRACE_TEST_';

/**
 * Reads the variables of Millrace.
 *
 * @throws MillraceError INVALID_OPTIONS with every problem; an unknown MILLRACE_ variable is one, named with the nearest known
 */
export function readEnvironment(env: NodeJS.ProcessEnv): EnvironmentValues {
  const known = new Set<string>(ENVIRONMENT.map(({ name }) => name));
  const ours = Object.entries(env).filter(([name, value]) => {
    const isOurs = known.has(name) || (name.startsWith('MILLRACE_') && !name.startsWith(TEST_PREFIX));
    return isOurs && value?.trim();
  });
  return parseOptions(Environment, Object.fromEntries(ours.map(([name, value]) => [name, value?.trim()])), 'The environment');
}

/** `'a, b'` as names; null when it is not set. */
export function nameList(text: string | undefined): string[] | null {
  const names = (text ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '');
  return names.length > 0 ? names : null;
}

/** The default of a variable. */
export function defaultOf(name: keyof EnvironmentValues): string {
  const variable = ENVIRONMENT.find((candidate) => candidate.name === name);
  if (!variable) throw new MillraceError('INVALID_OPTIONS', `${name} is no variable of Millrace.`);
  return variable.default;
}

function IsNameList(property: string): PropertyDecorator {
  return ValidateBy({
    name: 'isNameList',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && (nameList(value) ?? ['']).every((name) => isName(name)),
      defaultMessage: () => `${property} must be names separated by commas, each of the characters A-Z a-z 0-9 . _ -`,
    },
  });
}
