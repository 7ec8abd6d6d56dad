import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, MethodNotAllowedException, NotFoundException, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { Admission, SERVER_SETTINGS, type SetHeader } from './admission.js';
import { isBelow } from './body-claim.js';
import { setOwnHeaders } from './own-headers.js';
import { ProblemFilter } from './problem.filter.js';
import { refuseOtherSites } from './refuse-other-sites.js';
import { refuseTokensInAddress } from './refuse-tokens-in-address.js';
import { methodsAt } from './route-methods.js';
import type { ServerSettings } from './server-module-options.js';

interface Response {
  header(name: string, value: string): unknown;
}

interface FastifyRequest {
  readonly raw: IncomingMessage;
  readonly is404: boolean;
}

interface Fastify {
  addHook(name: 'onRequest', hook: (request: FastifyRequest, reply: Response, done: () => void) => void): unknown;
}

/** Answers requests below our path that no route takes: strangers learn nothing, others get a problem. */
@Injectable()
export class UnknownPaths implements OnModuleInit {
  readonly #host: HttpAdapterHost;
  readonly #admission: Admission;
  readonly #settings: ServerSettings;
  readonly #problems = new ProblemFilter();

  constructor(host: HttpAdapterHost, admission: Admission, @Inject(SERVER_SETTINGS) settings: ServerSettings) {
    this.#host = host;
    this.#admission = admission;
    this.#settings = settings;
  }

  /** All routes are there by then, those of the application too, and Nest's own answer is not. */
  onModuleInit(): void {
    const { httpAdapter } = this.#host;
    const type = (httpAdapter as HttpAdapterHost['httpAdapter'] | undefined)?.getType();
    if (type === 'express') {
      httpAdapter.use((request: IncomingMessage, response: Response, next: () => void) => this.#answer(request, response, next));
    }
    if (type !== 'fastify') return;
    httpAdapter.getInstance<Fastify>().addHook('onRequest', (request, reply, done) => {
      if (request.is404) this.#answer(request.raw, reply, done);
      else done();
    });
  }

  #answer(request: IncomingMessage, response: Response, next: () => void): void {
    if (!isBelow(request, this.#settings.base)) return next();
    void this.#refuse(request, response).catch((thrown: unknown) => {
      this.#problems.catch(thrown, new ExecutionContextHost([request, response]));
    });
  }

  async #refuse(request: IncomingMessage, response: Response): Promise<never> {
    const setHeader = (name: string, value: string): unknown => response.header(name, value);
    setOwnHeaders(setHeader);
    refuseOtherSites(request, this.#settings.origins);
    refuseTokensInAddress(request);
    await this.#admission.principalOf(request, setHeader);
    refuseMethod(request, { base: this.#settings.base, setHeader });
    throw new NotFoundException('There is no such route.');
  }
}

/** @throws MethodNotAllowedException for a path that has a route of another method */
function refuseMethod({ method, url = '' }: IncomingMessage, { base, setHeader }: { base: string; setHeader: SetHeader }): void {
  const [, path = ''] = url.split('?')[0]!.split(`/${base}/`);
  const methods = methodsAt(`/${path}`);
  if (methods.length === 0 || methods.includes(method ?? '')) return;
  setHeader('Allow', methods.join(', '));
  throw new MethodNotAllowedException(`This path takes ${methods.join(', ')} alone.`);
}
