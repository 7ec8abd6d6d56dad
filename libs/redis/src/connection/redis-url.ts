import { escapeUnseen, MillraceError, quote } from '@millrace/core';

const MAX_SHOWN = 200;
const DEFAULT_PORT = 6_379;
/** Characters that a user or a password must not hold as they are. */
const ENCODED = { '#': '%23', '/': '%2F', '?': '%3F' };
const UNPARSABLE = 'it cannot be parsed; in a user or password write %40 for @, %3A for :, %2F for / and %23 for #';

/**
 * Checks a Redis URL before anything connects with it: `redis://user:password@host:port/db`, `rediss://` for TLS, or
 * `unix:///path/of.sock`. The user and the password are percent-encoded; there are no parameters.
 *
 * @throws MillraceError INVALID_OPTIONS; its message never holds the password
 */
export function assertRedisUrl(url: unknown): asserts url is string {
  const problem = typeof url === 'string' ? problemOf(url) : 'it is no text';
  if (problem === null) return;
  const shown = typeof url === 'string' ? maskUrl(url) : quote(url);
  throw new MillraceError(
    'INVALID_OPTIONS',
    `${shown} is no URL of a Redis: ${problem}. Write redis://host:6379, rediss:// for TLS, or unix:///path/of.sock.`,
  );
}

/** The parts of a URL that {@link assertRedisUrl} has let pass, decoded; not of `unix://`. */
export interface RedisUrlParts {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
}

export function partsOfUrl(text: string): RedisUrlParts {
  const { hostname, port, pathname, username, password } = new URL(text);
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    port: port === '' ? DEFAULT_PORT : Number(port),
    database: Number(pathname.slice(1)),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
}

/** A URL as it may be shown: without parameters, and without its password, even one with unusual characters. */
export function maskUrl(url: string): string {
  const [, scheme = '', credentials, rest = ''] = /^([a-z0-9+.-]*:\/\/)?(?:([^]*)@)?([^]*)$/i.exec(url) ?? [];
  const place = withoutTail(rest.replace(/\?[^]*$/, '?***'));
  const shown = escapeUnseen(scheme + (credentials === undefined ? place : masked(scheme, credentials, place)));
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}...` : shown;
}

/** Without an @, a text behind the colon that is no port is a password: a # has cut off the rest, as in an .env file. */
function withoutTail(place: string): string {
  return place.replace(/^([^/:?[]*:)(?!\d{0,5}(?:[/?]|$))[^]*$/, '$1***');
}

function masked(scheme: string, credentials: string, place: string): string {
  // A password with a question mark, or a parameter with an @: nobody can say which part is secret.
  if (credentials.includes('?')) return '***';
  const end = credentials.indexOf(':');
  const user = scheme === '' ? '***' : end < 0 ? credentials : `${credentials.slice(0, end)}:***`;
  return `${user}@${place}`;
}

/** `a:1,b:2`, behind the credentials where there are some. */
const SEVERAL = /^rediss?:\/\/(?:[^@]*@)?[\w.-]+(?::\d+)?,/;

function problemOf(text: string): string | null {
  if (/[\s\p{Cc}\p{Cf}]/u.test(text)) return 'it holds a space or a character that is not seen; in a password write %20 for a space';
  if (text.startsWith('unix://')) return /^unix:\/\/\/[^?]+$/.test(text) ? null : 'after unix:// there must be the absolute path of a socket';
  if (!/^rediss?:\/\/./.test(text)) return 'it must begin with redis://, rediss:// or unix://';
  if (SEVERAL.test(text)) return 'it names several servers: nodes of a Redis Cluster stand in REDIS_CLUSTER_NODES, Sentinels in REDIS_SENTINELS';
  return problemOfCredentials(text) ?? (URL.canParse(text) ? problemOfParts(new URL(text)) : UNPARSABLE);
}

/** One of these characters ends the host of a URL: a part of the password would be lost, or be taken for a port. */
function problemOfCredentials(text: string): string | null {
  const [, credentials = ''] = /^rediss?:\/\/([^]*)@/.exec(text) ?? [];
  const raw = Object.entries(ENCODED).filter(([character]) => credentials.includes(character));
  if (raw.length === 0) return null;
  const names = raw.map(([character]) => character).join(' and ');
  const advice = raw.map(([character, encoded]) => `${encoded} for ${character}`).join(', ');
  return `before the @ there is a raw ${names}, where a URL takes the host for ended; in a user or password write ${advice}`;
}

function problemOfParts(url: URL): string | null {
  if (url.search !== '' || url.hash !== '') return 'parameters after ? or # are not known';
  if (!/^\/?\d{0,5}$/.test(url.pathname)) return 'the path must be the number of a database, such as /0';
  if (url.port === '0') return 'there is no port 0';
  return isDecodable(url.username) && isDecodable(url.password) ? null : 'the user or the password is not percent-encoded: write %25 for %';
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    // Its message would quote the password.
    return false;
  }
}
