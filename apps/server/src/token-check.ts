import type { IncomingMessage } from 'node:http';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { Admission } from './admission.js';
import { ProblemFilter } from './problem.filter.js';

/** That of Express, as far as this looks at it. */
interface Request extends IncomingMessage {
  readonly path: string;
}

interface Response {
  header(name: string, value: string): unknown;
}

const HEALTH = ['/health/live', '/health/ready'];

/**
 * The only paths for everyone, letter by letter. The router also takes them in capitals and with a slash at the end: those ask
 * for the token, and so do routes of the application that begin like ours.
 */
const PROBES: ReadonlySet<string> = new Set([...HEALTH, ...HEALTH.map((path) => `/millrace/api/v1${path}`)]);

/** Asks for the token on every route of the server, those of the application included. Probes alone are for everyone. */
export class TokenCheck {
  readonly #admission: Admission;
  readonly #problems = new ProblemFilter();

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  readonly middleware = (request: Request, response: Response, next: () => void): void => {
    if (isProbe(request)) return next();
    const admitted = this.#admission.principalOf(request, (name, value) => response.header(name, value));
    admitted.then(() => next(), (thrown: unknown) => this.#problems.catch(thrown, new ExecutionContextHost([request, response])));
  };
}

function isProbe({ method, path }: Request): boolean {
  return (method === 'GET' || method === 'HEAD') && PROBES.has(path);
}
