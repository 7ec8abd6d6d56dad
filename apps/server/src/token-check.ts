import { createHash, timingSafeEqual } from 'node:crypto';

interface Request {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface Response {
  status(code: number): Response;
  type(type: string): Response;
  header(name: string, value: string): Response;
  json(body: unknown): unknown;
}

/** Admits requests with the token, as `Authorization: Bearer <token>` with the first word in any case, and all to `/health`. */
export class TokenCheck {
  readonly #digest: Buffer | null;

  /** @param token null lets everyone in */
  constructor(token: string | null) {
    this.#digest = token === null ? null : digestOf(token);
  }

  readonly middleware = (request: Request, response: Response, next: () => void): void => {
    if (this.#admits(request)) next();
    else {
      const title = 'Send the token as the header Authorization: Bearer <token>.';
      response.status(401).header('WWW-Authenticate', 'Bearer').type('application/problem+json').json({ status: 401, title, code: 'HTTP_401' });
    }
  };

  #admits({ path, headers: { authorization } }: Request): boolean {
    if (this.#digest === null || path.startsWith('/health/')) return true;
    const [, sent = ''] = /^Bearer +(\S{1,512})$/i.exec(typeof authorization === 'string' ? authorization : '') ?? [];
    // It compares digests, since they are of one length whatever was sent.
    return timingSafeEqual(digestOf(sent), this.#digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
