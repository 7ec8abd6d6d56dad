import { durationMs } from '@millrace/core';
import { MillraceError, readEnvironment } from '@millrace/nestjs';

/** The address of the server, and the token of its users. */
export interface ServerOptions {
  readonly port: number;
  readonly host: string;
  /** The token that clients must send as `Authorization: Bearer <token>`; null for none, which only a loopback address allows. */
  readonly token: string | null;
  /** How long a request may take to come in whole. */
  readonly requestTimeoutMs: number;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** @throws MillraceError INVALID_OPTIONS; a server that others can reach must have a token */
export function readServerOptions(env: NodeJS.ProcessEnv): ServerOptions {
  const given: Partial<ReturnType<typeof readEnvironment>> = readEnvironment(env);
  const port = Number(given.MILLRACE_PORT ?? '3000');
  const host = given.MILLRACE_HOST ?? '127.0.0.1';
  const token = given.MILLRACE_TOKEN ?? null;
  const requestTimeoutMs = durationMs(given.MILLRACE_REQUEST_TIMEOUT ?? '30s');
  if (token !== null || LOOPBACK.has(host)) return { port, host, token, requestTimeoutMs };
  throw new MillraceError(
    'INVALID_OPTIONS',
    `MILLRACE_HOST is ${host}, where others can reach the server: set MILLRACE_TOKEN too, such as to the output of openssl rand -hex 32.`,
  );
}
