import type { IncomingMessage } from 'node:http';
import { BadRequestException, type CanActivate, type ExecutionContext, ForbiddenException, Inject, Injectable } from '@nestjs/common';
import { Admission, SERVER_SETTINGS } from './admission.js';
import { readBody } from './body-reader.js';
import { admit } from './admitted.js';
import { lackOf, needsOf } from './needs.js';
import { setOwnHeaders } from './own-headers.js';
import { refuseOtherSites } from './refuse-other-sites.js';
import { refuseTokensInAddress } from './refuse-tokens-in-address.js';
import type { ServerSettings } from './server-module-options.js';

interface Request {
  /** Fastify's: the request of Node. */
  readonly raw?: IncomingMessage;
  readonly body?: unknown;
}

interface Response {
  header(name: string, value: string): unknown;
}

/** Lets a request in when its sender may do what it asks for, and reads its body then. */
@Injectable()
export class Gate implements CanActivate {
  readonly #admission: Admission;
  readonly #origins: readonly string[];

  constructor(admission: Admission, @Inject(SERVER_SETTINGS) { origins }: ServerSettings) {
    this.#admission = admission;
    this.#origins = origins;
  }

  /** @throws HttpException 400, 401, 403, 413, 415, 429 */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const own = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const setHeader = (name: string, value: string): unknown => response.header(name, value);
    const request = own.raw ?? (own as IncomingMessage);
    setOwnHeaders(setHeader);
    refuseOtherSites(request, this.#origins);
    refuseTokensInAddress(request);
    const principal = await this.#admission.principalOf(request, setHeader);
    const lack = lackOf(principal, needsOf(context.getHandler()));
    if (lack !== null) throw new ForbiddenException(`This asks for ${lack}.`);
    const query = queryOf(request);
    const body = request.method === 'POST' ? await readBody(request, own.body) : undefined;
    admit(request, { principal, query, body });
    return true;
  }
}

/** Reads the query by itself: what parsers of Express and Fastify make of two parameters of one name is not the same. */
function queryOf({ url = '' }: IncomingMessage): Readonly<Record<string, string>> {
  const search = new URLSearchParams(url.split('?').slice(1).join('?'));
  const names = [...search.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new BadRequestException(`The parameter ${JSON.stringify(twice.slice(0, 64))} is there twice: send it once.`);
  return Object.fromEntries(search);
}
