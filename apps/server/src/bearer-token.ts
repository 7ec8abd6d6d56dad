import { createHash, timingSafeEqual } from 'node:crypto';

/** A secret that clients send as `Authorization: Bearer <token>`, with the first word in any case. */
export class BearerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  isIn(authorization: string | undefined): boolean {
    const [, sent = ''] = /^Bearer +(\S{1,512})$/i.exec(authorization ?? '') ?? [];
    // It compares digests, since they are of one length whatever was sent.
    return timingSafeEqual(digestOf(sent), this.#digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
