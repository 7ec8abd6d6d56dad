import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, ServiceUnavailableException, UnauthorizedException } from '@nestjs/common';
import { ROLES } from '@millrace/admin';
import { Attempts, TooManyAttempts } from './attempts.js';
import { credentialOf, KnownCredentials } from './known-credentials.js';
import { type Authorize, everyoneHere, type Principal } from './principal.js';
import type { ServerSettings } from './server-module-options.js';
import { TokenBook } from './token-book.js';

export const SERVER_SETTINGS = Symbol('millrace:server-settings');

/** How long the application's function may take: a request that waits for it holds one of the attempts of its address. */
const MOST_WAIT_MS = 30_000;

/** Headers that tell a client what to do about a refusal. */
export type SetHeader = (name: string, value: string) => unknown;

/** Finds out who sends a request. */
@Injectable()
export class Admission {
  readonly #tokens: TokenBook;
  readonly #authorize: Authorize;
  readonly #attempts = new Attempts();
  readonly #credentials = new KnownCredentials();

  constructor(@Inject(SERVER_SETTINGS) { tokens, authorize }: ServerSettings) {
    this.#tokens = new TokenBook(tokens);
    this.#authorize = authorize;
  }

  /** @throws HttpException 401; 429 after many that failed; 503 when the application does not say who it is */
  async principalOf(request: IncomingMessage, setHeader: SetHeader): Promise<Principal> {
    // The bearer of a token is let in, though others at the address of their proxy failed.
    const bearer = this.#tokens.principalOf(request.headers.authorization);
    if (bearer) return bearer;
    const principal = await this.#attempt(request).catch((thrown: unknown) => {
      if (thrown instanceof TooManyAttempts) setHeader('Retry-After', String(thrown.seconds));
      throw thrown;
    });
    if (principal) return principal;
    setHeader('WWW-Authenticate', 'Bearer');
    throw new UnauthorizedException(adviceFor(request));
  }

  async #attempt(request: IncomingMessage): Promise<Principal | null> {
    const ask = (): Promise<Principal | null> => this.#ask(request);
    // There is nothing to guess, and one page that tries would keep all of this machine out.
    if (this.#authorize === everyoneHere) return ask();
    const address = request.socket.remoteAddress ?? '';
    const credential = credentialOf(request.headers);
    const isKnown = this.#credentials.isKnown(credential);
    let principal: Principal | null = null;
    try {
      principal = await (isKnown ? this.#attempts.runPast(address, ask) : this.#attempts.run(address, ask));
      return principal;
    } finally {
      if (principal) this.#credentials.learn(credential, principal.name);
      else this.#credentials.forget(credential);
    }
  }

  async #ask(request: IncomingMessage): Promise<Principal | null> {
    const principal = await inTime(Promise.resolve(this.#authorize(request)));
    return principal ? assertPrincipal(principal) : null;
  }
}

function adviceFor({ headers: { authorization = '' } }: IncomingMessage): string {
  return /^Bearer +\S/i.test(authorization)
    ? 'The token in the header Authorization is not known here. Send another one: Authorization: Bearer <token>.'
    : 'Send the token as the header Authorization: Bearer <token>.';
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const why = 'The application did not say who may do this.';
    timer = setTimeout(() => reject(new ServiceUnavailableException(why)), MOST_WAIT_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

const VISIBLE = /^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u;

/** Nobody gets a right by a slip in the application's function. */
function assertPrincipal(principal: Principal): Principal {
  const { name, role } = principal;
  if (typeof name === 'string' && VISIBLE.test(name) && (role === null || ROLES.includes(role))) return principal;
  throw new TypeError('authorize must give { name, role }: 1 to 200 visible characters, and viewer, operator, admin or null.');
}
