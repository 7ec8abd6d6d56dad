import { MillraceError } from '@millrace/core';
import type { RedisConnection } from './redis-connection.js';

export interface ServerFacts {
  /** As the server says it: `7.0.15`. Valkey says the Redis version that it is compatible with. Empty when it says none. */
  readonly version: string;
  /** Anything but `noeviction` lets Redis throw messages away; null when the server does not say. */
  readonly evictionPolicy: string | null;
}

const OLDEST = [7, 0] as const;

/** @throws RedisFailure */
export async function readServerFacts(connection: RedisConnection): Promise<ServerFacts> {
  const info = String(await connection.call('INFO'));
  return { version: field(info, 'redis_version') ?? '', evictionPolicy: field(info, 'maxmemory_policy') };
}

/** @throws MillraceError REDIS_UNSUPPORTED */
export function assertSupported(facts: ServerFacts, where: string): void {
  const [major = 0, minor = 0] = facts.version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  const what = facts.version === '' ? 'does not say which version it is' : `is Redis ${facts.version}`;
  throw new MillraceError(
    'REDIS_UNSUPPORTED',
    `The server at ${where} ${what}; Millrace needs Redis ${OLDEST.join('.')} or newer, or Valkey. Upgrade it, ` +
      'or set REDIS_URL to a newer one.',
  );
}

function field(info: string, name: string): string | null {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
}
