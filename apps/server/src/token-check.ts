import type { IncomingMessage } from 'node:http';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { Admission, SetHeader } from './admission.js';
import { assertAllRights, noteBearer } from './own-routes.guard.js';
import { setOwnHeaders } from './own-headers.js';
import type { Principal } from './principal.js';
import { ProblemFilter } from './problem.filter.js';
import { refuseTokensInAddress } from './refuse-tokens-in-address.js';

/** That of Express, as far as this looks at it. */
interface Request extends IncomingMessage {
  readonly path: string;
}

interface Response {
  header(name: string, value: string): unknown;
}

const API = '/millrace/api/v1/';

const HEALTH = ['/health/live', '/health/ready'];

/**
 * The only paths for everyone, letter by letter. The router also takes them in capitals and with a slash at the end: those ask
 * for the token, and so do routes of the application that begin like ours.
 */
const PROBES: ReadonlySet<string> = new Set([...HEALTH, ...HEALTH.map((path) => `${API.slice(0, -1)}${path}`)]);

/** Asks for the token on every route of the server, those of the application included. Probes alone are for everyone. */
export class TokenCheck {
  readonly #admission: Admission;
  readonly #problems = new ProblemFilter();

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  readonly middleware = (request: Request, response: Response, next: () => void): void => {
    if (isProbe(request)) return next();
    this.#check(request, response).then(
      () => next(),
      (thrown: unknown) => this.#problems.catch(thrown, new ExecutionContextHost([request, response])),
    );
  };

  async #check(request: Request, response: Response): Promise<void> {
    const setHeader = (name: string, value: string): unknown => response.header(name, value);
    const isOurs = request.path.toLowerCase().startsWith(API);
    const principal = await this.#principalOf(request, { setHeader, isOurs }).catch((thrown: unknown) => {
      setOwnHeaders(setHeader);
      throw thrown;
    });
    noteBearer(request, principal);
    // Routes of the application that are no controllers have no guard.
    if (!isOurs) assertAllRights(principal);
  }

  async #principalOf(request: Request, { setHeader, isOurs }: Asked): Promise<Principal> {
    // A route of the application may have a parameter of such a name.
    if (isOurs) refuseTokensInAddress(request);
    return this.#admission.principalOf(request, setHeader);
  }
}

interface Asked {
  readonly setHeader: SetHeader;
  /** Whether it is for a path of the API. */
  readonly isOurs: boolean;
}

function isProbe({ method, path }: Request): boolean {
  return (method === 'GET' || method === 'HEAD') && PROBES.has(path);
}
