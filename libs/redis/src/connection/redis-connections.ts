import { MillraceError } from '@millrace/core';
import { type Profile } from './profiles.js';
import { RedisConnection } from './redis-connection.js';
import { assertRedisUrl, maskUrl } from './redis-url.js';
import { assertSupported, readServerFacts, type ServerFacts } from './server-facts.js';

const BOOT_TIMEOUT_MS = 5_000;

export interface RedisConnectOptions {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. */
  readonly url: string;
  /** Shown by `CLIENT LIST`. Default `millrace`. */
  readonly name?: string;
}

/** The connections of one process, each for its own kind of traffic. Whoever made them closes them. */
export class RedisConnections {
  readonly publish: RedisConnection;
  readonly control: RedisConnection;
  readonly server: ServerFacts;
  readonly #options: Required<RedisConnectOptions>;
  readonly #opened: Set<RedisConnection>;

  constructor(options: Required<RedisConnectOptions>, server: ServerFacts, opened: { publish: RedisConnection; control: RedisConnection }) {
    this.#options = options;
    this.server = server;
    this.publish = opened.publish;
    this.control = opened.control;
    this.#opened = new Set([opened.publish, opened.control]);
  }

  /** A connection of its own for one reader that blocks; close it with {@link RedisConnection.close}. */
  blocking(purpose: string): RedisConnection {
    const connection = open(this.#options, purpose, 'blocking');
    this.#opened.add(connection);
    return connection;
  }

  /** Closes every connection, those of readers too. */
  close(): void {
    for (const connection of this.#opened) connection.close();
  }
}

/**
 * Connects to Redis and looks at what it is.
 *
 * @throws MillraceError INVALID_OPTIONS (the URL), REDIS_UNREACHABLE after 5 seconds, REDIS_UNSUPPORTED below Redis 7.0
 */
export async function connectRedis(options: RedisConnectOptions): Promise<RedisConnections> {
  assertRedisUrl(options.url);
  const complete = { url: options.url, name: options.name ?? 'millrace' };
  const opened = { publish: open(complete, 'publish', 'publish'), control: open(complete, 'control', 'control') };
  try {
    const ready = await Promise.all([opened.control.whenReady(BOOT_TIMEOUT_MS), opened.publish.whenReady(BOOT_TIMEOUT_MS)]);
    if (ready.includes(false)) throw unreachable(complete.url, opened.control.lastError);
    const facts = await readServerFacts(opened.control);
    assertSupported(facts, maskUrl(complete.url));
    return new RedisConnections(complete, facts, opened);
  } catch (error) {
    opened.control.close();
    opened.publish.close();
    throw error;
  }
}

function open(options: Required<RedisConnectOptions>, purpose: string, profile: Profile): RedisConnection {
  const connection = new RedisConnection(options.url, `${options.name}:${purpose}`, profile);
  connection.connect();
  return connection;
}

function unreachable(url: string, lastError: Error | null): MillraceError {
  const why = lastError ? ` The last attempt said: ${lastError.message}.` : '';
  return new MillraceError(
    'REDIS_UNREACHABLE',
    `No Redis answers at ${maskUrl(url)} within ${BOOT_TIMEOUT_MS / 1000} s.${why} Start one there, or set REDIS_URL to where it is.`,
    { cause: lastError ? new Error(lastError.message) : undefined, retryable: true },
  );
}
