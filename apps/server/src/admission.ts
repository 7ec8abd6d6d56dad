import type { IncomingMessage } from 'node:http';
import { HttpException, HttpStatus, Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import { ROLES } from '@millrace/admin';
import { BearerToken } from './bearer-token.js';
import { FailedAttempts } from './failed-attempts.js';
import { allRights, type Authorize, type Principal } from './principal.js';
import type { ServerSettings } from './server-module-options.js';

export const SERVER_SETTINGS = Symbol('millrace:server-settings');

/** Headers that tell a client what to do about a refusal. */
export type SetHeader = (name: string, value: string) => unknown;

/** Finds out who sends a request. */
@Injectable()
export class Admission {
  readonly #token: BearerToken | null;
  readonly #authorize: Authorize;
  readonly #failed = new FailedAttempts();

  constructor(@Inject(SERVER_SETTINGS) { token, authorize }: ServerSettings) {
    this.#token = token === null ? null : new BearerToken(token);
    this.#authorize = authorize;
  }

  /** @throws HttpException 401; 429 after many that failed */
  async principalOf(request: IncomingMessage, setHeader: SetHeader): Promise<Principal> {
    // The bearer of the token is let in, though others at the address of their proxy failed.
    if (this.#token?.isIn(request.headers.authorization)) return allRights('token');
    const address = request.socket.remoteAddress ?? '';
    this.#refuseGuessing(address, setHeader);
    const principal = await this.#authorize(request);
    if (principal) return assertPrincipal(principal);
    this.#failed.count(address);
    setHeader('WWW-Authenticate', 'Bearer');
    throw new UnauthorizedException('Send the token as the header Authorization: Bearer <token>.');
  }

  #refuseGuessing(address: string, setHeader: SetHeader): void {
    const seconds = this.#failed.waitOf(address);
    if (seconds === 0) return;
    setHeader('Retry-After', String(seconds));
    throw new HttpException('Too many requests from this address were not let in. Try again later.', HttpStatus.TOO_MANY_REQUESTS);
  }
}

const VISIBLE = /^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u;

/** Nobody gets a right by a slip in the application's function. */
function assertPrincipal(principal: Principal): Principal {
  const { name, role } = principal;
  if (typeof name === 'string' && VISIBLE.test(name) && (role === null || ROLES.includes(role))) return principal;
  throw new TypeError('authorize must give { name, role }: 1 to 200 visible characters, and viewer, operator, admin or null.');
}
