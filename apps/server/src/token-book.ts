import { createHash, timingSafeEqual } from 'node:crypto';
import type { Principal } from './principal.js';

/** A token that lets its bearer in, of which the digest alone is kept. */
export interface KnownToken {
  /** SHA-256 of the token. */
  readonly digest: Buffer;
  readonly principal: Principal;
}

/** The secrets that clients send as `Authorization: Bearer <token>`, with the first word in any case. */
export class TokenBook {
  readonly #tokens: readonly KnownToken[];

  constructor(tokens: readonly KnownToken[]) {
    this.#tokens = tokens;
  }

  principalOf(authorization: string | undefined): Principal | null {
    const [, sent = ''] = /^Bearer +(\S{1,512})$/i.exec(authorization ?? '') ?? [];
    const digest = tokenDigest(sent);
    // All of them are compared, and digests, since they are of one length: the time tells nothing.
    const [found] = this.#tokens.filter((token) => timingSafeEqual(digest, token.digest));
    return found?.principal ?? null;
  }
}

export function tokenDigest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
