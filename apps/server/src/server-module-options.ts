import { IsFunction, MillraceError, parseOptions } from '@millrace/core';
import { IsOptional, Matches } from 'class-validator';
import { AreFieldNames } from '@millrace/admin';
import { type Authorize, everyoneHere } from './principal.js';

/** The options of `MillraceServerModule.forRoot`: one of `authorize` and `token`. */
export class MillraceServerOptions {
  /** The first part of the paths: 1 to 64 letters, digits and `-_`. Default `'millrace'`, for `/millrace/api/v1`. */
  @IsOptional() @Matches(/^[A-Za-z0-9_-]{1,64}$/, { message: 'path must be 1 to 64 letters, digits, - and _' })
  path?: string = 'millrace';

  /** Tells who sends a request, and what they may do. */
  @IsOptional() @IsFunction()
  authorize?: Authorize;

  /** A secret whose bearer may do everything: 32 to 512 visible ASCII characters without a space. */
  @IsOptional() @Matches(/^[!-~]{32,512}$/, { message: 'token must have 32 to 512 visible ASCII characters and no space' })
  token?: string;

  /** Fields of payloads and headers that nobody sees, as `['authorization', 'card.number']`; see `View`. Default: none. */
  @IsOptional() @AreFieldNames()
  redact?: readonly string[] = [];
}

/** The options with their defaults. */
export interface ServerSettings {
  /** The paths begin with it: `millrace/api/v1`. */
  readonly base: string;
  readonly token: string | null;
  readonly authorize: Authorize;
  /** Fields that nobody sees. */
  readonly redact: readonly string[];
}

/** @throws MillraceError INVALID_OPTIONS; also in production, when nothing says who may do what */
export function readServerSettings(options: MillraceServerOptions, env: NodeJS.ProcessEnv): ServerSettings {
  const parsed: MillraceServerOptions = parseOptions(MillraceServerOptions, options, 'MillraceServerModule.forRoot()');
  const { path, authorize, token, redact = [] } = parsed;
  if (authorize && token !== undefined) {
    throw new MillraceError('INVALID_OPTIONS', 'MillraceServerModule has authorize and token: nobody can say which is meant. Give one of them.');
  }
  if (!authorize && token === undefined && env['NODE_ENV'] === 'production') throw unguarded();
  const known = authorize ?? (token === undefined ? everyoneHere : () => null);
  return { base: `${path ?? 'millrace'}/api/v1`, token: token ?? null, authorize: known, redact };
}

function unguarded(): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    'MillraceServerModule does not know who may use it, so in production it does not start. Write one of these lines:\n' +
      '  MillraceServerModule.forRoot({ token: process.env.ADMIN_TOKEN }) // the output of openssl rand -hex 32\n' +
      "  MillraceServerModule.forRoot({ authorize: (request) => (isMine(request) ? { name: 'ann', role: 'viewer' } : null) })",
  );
}
