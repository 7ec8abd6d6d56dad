import { setTimeout } from 'node:timers/promises';
import { asError, MillraceError } from '@millrace/core';
import { Redis } from 'ioredis';
import { hearingErrors } from '../connection/socket-errors.js';
import { clientTrust, type LocalTls } from './local-tls.js';

export type Call = (command: string, ...args: (string | number)[]) => Promise<unknown>;

const CONNECT_MS = 1_000;
const COMMAND_MS = 10_000;
const POLL_MS = 20;

/** One server of several on 127.0.0.1, the password that it asks for, and the certificates where it speaks TLS. */
export interface LocalPort {
  readonly port: number;
  readonly password?: string | undefined;
  readonly tls?: LocalTls | undefined;
}

/** Runs commands on a server, over a connection that is closed then. It rejects when the server is not there. */
export async function onServer<T>({ port, password, tls }: LocalPort, work: (call: Call) => Promise<T>): Promise<T> {
  const redis = hearingErrors(new Redis({
    host: '127.0.0.1', port, protocol: 2, disableClientInfo: true, enableReadyCheck: false, lazyConnect: true,
    connectTimeout: CONNECT_MS, commandTimeout: COMMAND_MS, maxRetriesPerRequest: 0, retryStrategy: null,
    ...(password === undefined ? {} : { password }), ...(await clientTrust(tls)),
  }));
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await work((command, ...args) => redis.call(command, ...args));
  } finally {
    redis.disconnect();
  }
}

/**
 * Asks again and again until the condition holds; one that throws does not.
 *
 * @param what the awaited condition, for the error: `every node to know the others`
 * @throws MillraceError REDIS_FAILED when the time is over
 */
export async function untilTrue(condition: () => Promise<boolean>, what: string, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  let last = 'it did not hold';
  while (!(await condition().catch((error: unknown) => ((last = asError(error).message), false)))) {
    if (performance.now() >= end) throw new MillraceError('REDIS_FAILED', `Waited ${timeoutMs} ms for ${what}, in vain; last: ${last}.`);
    await setTimeout(POLL_MS);
  }
}
