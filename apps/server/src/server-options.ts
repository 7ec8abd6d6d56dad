import { MillraceError, readEnvironment } from '@millrace/nestjs';

/** Where the server listens, and who may use it. */
export interface ServerOptions {
  readonly port: number;
  readonly host: string;
  /** What clients must send as `Authorization: Bearer <token>`; null: nobody is asked, which only a loopback address allows. */
  readonly token: string | null;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** @throws MillraceError INVALID_OPTIONS; a server that others can reach must have a token */
export function readServerOptions(env: NodeJS.ProcessEnv): ServerOptions {
  const { MILLRACE_PORT: port = '3000', MILLRACE_HOST: host = '127.0.0.1', MILLRACE_TOKEN: token } = readEnvironment(env);
  if (token || LOOPBACK.has(host)) return { port: Number(port), host, token: token ?? null };
  throw new MillraceError(
    'INVALID_OPTIONS',
    `MILLRACE_HOST is ${host}, where others can reach the server: set MILLRACE_TOKEN too, such as to the output of openssl rand -hex 32.`,
  );
}
