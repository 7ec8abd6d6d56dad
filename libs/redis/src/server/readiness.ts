import { dirname } from 'node:path';
import { MillraceError } from '@millrace/core';
import { Redis } from 'ioredis';
import { withDeadline } from './deadline.js';
import type { GuardedProcess } from './guarded-process.js';
import { clientTrust } from './local-tls.js';
import type { LocalPort } from './node-command.js';

const POLL_MS = 5;
/** ioredis waits for so long for the end of a connection, also of one that has ended, and keeps the process alive meanwhile. */
const DISCONNECT_MS = 100;
/** A loading server guesses how long that takes, and ioredis would sleep for as long, though it may be ready much sooner. */
const LOADING_POLL_MS = 50;

/** A server that is ready, by its own words. */
export interface ReadyServer {
  readonly version: string;
  /** The folder of its configuration, else its working folder: another server on the same port has another one. */
  readonly folder: string;
}

/**
 * Resolves when the server on this port answers and has loaded its data.
 *
 * @throws MillraceError REDIS_FAILED, with the end of the server's log, when it ends before or is not ready in time
 */
export async function untilReady(at: LocalPort, server: GuardedProcess, timeoutMs: number): Promise<ReadyServer> {
  const { port, password, tls } = at;
  const redis = new Redis({
    host: '127.0.0.1', port, protocol: 2, disableClientInfo: true,
    lazyConnect: true, connectTimeout: timeoutMs, maxRetriesPerRequest: null, retryStrategy: () => POLL_MS,
    maxLoadingRetryTime: LOADING_POLL_MS, disconnectTimeout: DISCONNECT_MS, ...(password === undefined ? {} : { password }),
    ...(await clientTrust(tls)),
  });
  let lastError = 'no answer';
  redis.on('error', (error: Error) => (lastError = error.message));
  const late = (): Error => new Error(`did not answer on port ${port} within ${timeoutMs / 1000} s (${lastError})`);
  const gone = server.ended.then((how) => Promise.reject(new Error(how)));
  try {
    return await withDeadline(Promise.race([describe(redis), gone]), timeoutMs, late);
  } catch (error) {
    throw new MillraceError('REDIS_FAILED', await failure(server, error));
  } finally {
    redis.disconnect();
  }
}

async function describe(redis: Redis): Promise<ReadyServer> {
  const info = await redis.info('server');
  const configuration = /^config_file:(\S+)/m.exec(info)?.[1];
  return { version: /^redis_version:(\S+)/m.exec(info)?.[1] ?? '0.0.0', folder: configuration ? dirname(configuration) : await folderOf(redis) };
}

/** A Sentinel cannot be asked for it, but always has a file of configuration. */
async function folderOf(redis: Redis): Promise<string> {
  return (await redis.config('GET', 'dir'))[1] ?? '';
}

async function failure(server: GuardedProcess, error: unknown): Promise<string> {
  const log = await server.log();
  return `The server ${error instanceof Error ? error.message : String(error)}. ${log ? `Its log ends with:\n${log}` : 'It wrote no log.'}`;
}
