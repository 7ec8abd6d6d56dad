import { durationMs } from '@millrace/core';
import { MillraceError, readEnvironment } from '@millrace/nestjs';
import { readTokensFile } from './read-tokens-file.js';
import type { ServerTokenOptions } from './server-token-options.js';

/** The address of the server, and the token of its users. */
export interface ServerOptions {
  readonly port: number;
  readonly host: string;
  /** The token that clients must send as `Authorization: Bearer <token>`; null for none, which only a loopback address allows. */
  readonly token: string | null;
  /** Tokens that clients may send in its place, with the rights of each. */
  readonly tokens: readonly ServerTokenOptions[];
  /** Origins of pages that may send requests, where a proxy writes another `Host`. */
  readonly origins: readonly string[];
  /** Fields of payloads and headers that nobody sees. */
  readonly redact: readonly string[];
  /** Whether those who may send may call methods of services, too. */
  readonly calls: boolean;
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
  const [origins, redact] = [listOf(given.MILLRACE_ORIGINS), listOf(given.MILLRACE_REDACT)];
  const calls = ['1', 'true'].includes(given.MILLRACE_HTTP_CALLS ?? '');
  const file = given.MILLRACE_TOKENS_FILE;
  const tokens = file === undefined ? [] : readTokensFile(file);
  if (token !== null || tokens.length > 0 || LOOPBACK.has(host)) {
    return { port, host, token, tokens, origins, redact, calls, requestTimeoutMs };
  }
  throw new MillraceError(
    'INVALID_OPTIONS',
    `MILLRACE_HOST is ${host}, where others can reach the server: set MILLRACE_TOKEN too, such as to the output of openssl rand -hex 32, or MILLRACE_TOKENS_FILE.`,
  );
}

/** `'a, b'` as its items; none when it is not set. */
function listOf(text = ''): string[] {
  return text.split(',').map((item) => item.trim()).filter((item) => item !== '');
}
