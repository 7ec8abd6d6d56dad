import { checkEach, IsVisibleText, MillraceError, parseOptions, propertiesOf } from '@millrace/core';
import { type Role, ROLES } from '@millrace/admin';
import { IsBoolean, IsIn, IsOptional, Matches } from 'class-validator';
import { type KnownToken, tokenDigest } from './token-book.js';

/** A token that can stand behind `Authorization: Bearer`, and is long enough. */
export const TOKEN = /^[!-~]{32,512}$/;

const MOST_TOKENS = 1_000;

/** A token of the option `tokens`: who sends it, and what they may do. One of `sha256` and `token`. */
export class ServerTokenOptions {
  /** Stands in the audit stream: 1 to 200 visible characters, and no two tokens have the same. */
  @IsVisibleText(200)
  name!: string;

  /** SHA-256 of the token as 64 hexadecimal digits. The token itself has 32 characters or more. */
  @IsOptional() @Matches(/^[0-9a-fA-F]{64}$/, { message: 'sha256 must be the SHA-256 of the token: 64 hexadecimal digits' })
  sha256?: string;

  /** The token itself: 32 to 512 visible ASCII characters without a space. */
  @IsOptional() @Matches(TOKEN, { message: 'token must have 32 to 512 visible ASCII characters and no space' })
  token?: string;

  /** The rights of its bearer as an operator. Default: none. */
  @IsOptional() @IsIn(ROLES, { message: `role must be one of ${ROLES.join(', ')}` })
  role?: Role;

  /** Whether its bearer may see payloads of messages. Default false. */
  @IsOptional() @IsBoolean({ message: 'payloads must be true or false' })
  payloads?: boolean = false;

  /** Whether its bearer may publish, enqueue and call. Default false. */
  @IsOptional() @IsBoolean({ message: 'send must be true or false' })
  send?: boolean = false;
}

/**
 * @param where they stand, for the error
 * @throws MillraceError INVALID_OPTIONS with every problem, and without a token
 */
export function knownTokens(given: unknown, where: string): KnownToken[] {
  if (!Array.isArray(given) || given.length === 0 || given.length > MOST_TOKENS) {
    throw invalid(`${where} must be a list of 1 to ${MOST_TOKENS} tokens, such as [{ "name": "ann", "sha256": "...", "role": "viewer" }].`);
  }
  const entries = given.map((entry: unknown, index) => ({ entry, where: `${where}[${index}]` }));
  const known = checkEach(`${where}: some tokens are not configured well.`, entries, (one) => knownToken(one.entry, one.where));
  const names = known.map(({ principal }) => principal.name);
  const name = names.find((one, index) => names.indexOf(one) !== index);
  if (name !== undefined) throw invalid(`${where} has the name ${name} twice, and the audit stream could not tell who it was: give each token its own.`);
  const digests = known.map(({ digest }) => digest.toString('hex'));
  const again = digests.findIndex((one, index) => digests.indexOf(one) !== index);
  if (again < 0) return known;
  throw invalid(`${where} has the same token as ${names[digests.indexOf(digests[again] ?? '')]} and ${names[again]}: make one for each.`);
}

function knownToken(entry: unknown, where: string): KnownToken {
  assertNames(entry, where);
  const { name, sha256, token, role, payloads, send }: ServerTokenOptions = parseOptions(ServerTokenOptions, entry, where);
  if ((sha256 === undefined) === (token === undefined)) throw invalid(`${where} must have one of sha256 and token.`);
  const digest = token === undefined ? Buffer.from(sha256 ?? '', 'hex') : tokenDigest(token);
  return { digest, principal: { name, role: role ?? null, payloads, send } };
}

/** An unknown name is not shown: somebody may have written the token there. */
function assertNames(entry: unknown, where: string): void {
  const known = propertiesOf(ServerTokenOptions);
  if (typeof entry !== 'object' || entry === null || Object.keys(entry).every((name) => known.includes(name))) return;
  throw invalid(`${where} has a part that is none of ${known.join(', ')}.`);
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', message);
}
