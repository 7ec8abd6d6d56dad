import { IsFunction, MillraceError, parseOptions } from '@millrace/core';
import { ArrayMaxSize, IsArray, IsBoolean, IsOptional, Matches, ValidateBy } from 'class-validator';
import { AreFieldNames } from '@millrace/admin';
import { allRights, type Authorize, everyoneHere } from './principal.js';
import { isOrigin } from './refuse-other-sites.js';
import { knownTokens, type ServerTokenOptions, TOKEN } from './server-token-options.js';
import { type KnownToken, tokenDigest } from './token-book.js';

const ORIGIN = {
  name: 'isOrigin',
  validator: { validate: isOrigin, defaultMessage: () => 'origins must be origins as browsers send them, such as https://ops.example.com' },
};

const WHERE = 'MillraceServerModule.forRoot()';

/** The options of `MillraceServerModule.forRoot`: `authorize`, or `token` and `tokens`. */
export class MillraceServerOptions {
  /** The first part of the paths: 1 to 64 letters, digits and `-_`. Default `'millrace'`, for `/millrace/api/v1`. */
  @IsOptional() @Matches(/^[A-Za-z0-9_-]{1,64}$/, { message: 'path must be 1 to 64 letters, digits, - and _' })
  path?: string = 'millrace';

  /** Tells who sends a request, and what they may do. */
  @IsOptional() @IsFunction()
  authorize?: Authorize;

  /** A secret whose bearer may do everything: 32 to 512 visible ASCII characters without a space. */
  @IsOptional() @Matches(TOKEN, { message: 'token must have 32 to 512 visible ASCII characters and no space' })
  token?: string;

  /** Fields of payloads and headers that nobody sees, as `['authorization', 'card.number']`; see `View`. Default: none. */
  @IsOptional() @AreFieldNames()
  redact?: readonly string[] = [];

  /** Secrets whose bearers may do what each of them says, beside `token`. 1 to 1,000. */
  @IsOptional() @IsArray({ message: 'tokens must be a list' })
  tokens?: readonly ServerTokenOptions[];

  /**
   * Origins of pages that may send requests though their host is another one than the request was sent to, as behind a proxy that
   * writes another `Host`: `https://ops.example.com`. Default: none.
   */
  @IsOptional() @ArrayMaxSize(100) @ValidateBy(ORIGIN, { each: true })
  origins?: readonly string[] = [];

  /** Whether those who may send may call methods of services, too. Default false. */
  @IsOptional() @IsBoolean({ message: 'calls must be true or false' })
  calls?: boolean = false;
}

/** The options with their defaults. */
export interface ServerSettings {
  /** The paths begin with it: `millrace/api/v1`. */
  readonly base: string;
  readonly tokens: readonly KnownToken[];
  readonly authorize: Authorize;
  /** Fields that nobody sees. */
  readonly redact: readonly string[];
  /** In small letters. */
  readonly origins: readonly string[];
  readonly calls: boolean;
}

/** The beginning of all paths. @throws MillraceError INVALID_OPTIONS */
export function readBase(path: string | undefined): string {
  const { path: first } = parseOptions(MillraceServerOptions, { path }, WHERE);
  return `${first}/api/v1`;
}

/** @throws MillraceError INVALID_OPTIONS; also in production, when nothing says who may do what */
export function readServerSettings(options: MillraceServerOptions, env: NodeJS.ProcessEnv): ServerSettings {
  const parsed: MillraceServerOptions = parseOptions(MillraceServerOptions, options, WHERE);
  const { authorize } = parsed;
  const tokens = tokensOf(parsed);
  if (authorize && tokens.length > 0) {
    throw new MillraceError(
      'INVALID_OPTIONS', 'MillraceServerModule has authorize and token or tokens: nobody can say which is meant. Give one of them.',
    );
  }
  if (!authorize && tokens.length === 0 && env['NODE_ENV'] === 'production') throw unguarded();
  const origins = parsed.origins!.map((origin) => origin.toLowerCase());
  const whoever = tokens.length === 0 ? everyoneHere : nobody;
  const { redact = [] } = parsed;
  return { base: readBase(parsed.path), tokens, authorize: authorize ?? whoever, redact, origins, calls: parsed.calls === true };
}

function tokensOf({ token, tokens }: MillraceServerOptions): KnownToken[] {
  const all = token === undefined ? [] : [{ digest: tokenDigest(token), principal: allRights('token') }];
  return tokens === undefined ? all : [...all, ...knownTokens(tokens, `${WHERE} tokens`)];
}

function nobody(): null {
  return null;
}

function unguarded(): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    'MillraceServerModule does not know who may use it, so in production it does not start. Write one of these lines:\n' +
      '  MillraceServerModule.forRoot({ token: process.env.ADMIN_TOKEN }) // the output of openssl rand -hex 32\n' +
      "  MillraceServerModule.forRoot({ authorize: (request) => (isMine(request) ? { name: 'ann', role: 'viewer' } : null) })",
  );
}
