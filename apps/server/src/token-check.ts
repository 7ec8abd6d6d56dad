import { BearerToken } from './bearer-token.js';

interface Request {
  readonly path: string;
  readonly headers: { readonly authorization?: string };
}

interface Response {
  status(code: number): Response;
  type(type: string): Response;
  header(name: string, value: string): Response;
  json(body: unknown): unknown;
}

/** Routes of the application may begin like these: they are not for everyone. */
const PROBES = ['/health/live', '/health/ready'];

/** Asks for the token on the application's own routes; probes are for everyone, and our API has its gate. */
export class TokenCheck {
  readonly #token: BearerToken | null;

  /** @param token null lets everyone in */
  constructor(token: string | null) {
    this.#token = token === null ? null : new BearerToken(token);
  }

  readonly middleware = (request: Request, response: Response, next: () => void): void => {
    if (this.#admits(request)) next();
    else {
      const title = 'Send the token as the header Authorization: Bearer <token>.';
      response.status(401).header('WWW-Authenticate', 'Bearer').type('application/problem+json').json({ status: 401, title, code: 'HTTP_401' });
    }
  };

  #admits({ path, headers }: Request): boolean {
    if (PROBES.includes(path) || path.startsWith('/millrace/api/v1/')) return true;
    return this.#token === null || this.#token.isIn(headers.authorization);
  }
}
