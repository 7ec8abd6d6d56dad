import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Controller, HttpStatus, Inject, NotFoundException, Param, Post, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { httpProblem, RpcRemoteError } from '@millrace/nestjs';
import { SERVER_SETTINGS } from './admission.js';
import { Exchange, type HttpExchange } from './exchange.js';
import { Guarded } from './guarded.js';
import { Needs } from './needs.js';
import { assertKnown } from './option-headers.js';
import type { JsonResponse } from './send-json.js';
import type { ServerSettings } from './server-module-options.js';
import { type MethodName, ServiceCalls } from './service-calls.js';

/** That of Node, or Fastify's with it inside. */
type Response = JsonResponse & { readonly raw?: EventEmitter } & Partial<EventEmitter>;

type Target = Pick<MethodName, 'service' | 'method'>;

/** Calls methods of services over HTTP, where the options allow it. */
@Controller({ path: 'services', version: VERSION_NEUTRAL })
@Guarded()
export class CallsController {
  readonly #calls: ServiceCalls;
  readonly #isOn: boolean;

  constructor(calls: ServiceCalls, @Inject(SERVER_SETTINGS) { calls: isOn }: ServerSettings) {
    this.#calls = calls;
    this.#isOn = isOn;
  }

  /** The body is the request, null where there is none. 200 with the answer, 202 where there is none to wait for. */
  @Post(':service/:method/call')
  @Needs('send')
  async call(@Param() { service, method }: Target, @Exchange() exchange: HttpExchange, @Res() response: Response): Promise<void> {
    if (!this.#isOn) throw new NotFoundException('Calls over HTTP are off: set the option calls of MillraceServerModule to true, or MILLRACE_HTTP_CALLS to 1.');
    const options = exchange.options();
    assertKnown(options, ['millrace-timeout', 'millrace-version']);
    const given = { timeout: options.get('millrace-timeout'), requestId: options.get('idempotency-key'), signal: untilClosed(response) };
    try {
      const name = { service, method, version: options.get('millrace-version') ?? '1' };
      const { json, isOneWay } = await this.#calls.call(name, exchange.payload(), given);
      // It is sent here, so that no interceptor of the application makes something else of it.
      response.status(isOneWay ? HttpStatus.ACCEPTED : HttpStatus.OK).type('application/json').send(json ?? 'null');
    } catch (thrown) {
      if (!(thrown instanceof RpcRemoteError)) throw thrown;
      response.status(HttpStatus.BAD_GATEWAY).type('application/problem+json').send(JSON.stringify(problemOf(thrown)));
    }
  }
}

/** Aborts when the client goes away: the method is told. */
function untilClosed(response: Response): AbortSignal {
  const gone = new AbortController();
  const own = response.raw ?? (response as EventEmitter);
  if ((own as Partial<ServerResponse>).destroyed) gone.abort();
  own.once('close', () => gone.abort());
  return gone.signal;
}

/** The error that the method threw is its answer. */
function problemOf({ remote: { name, message, code, response } }: RpcRemoteError): object {
  const problem = httpProblem({ status: HttpStatus.BAD_GATEWAY, detail: 'The method failed: remote is its error.', code: 'REMOTE_FAILED' });
  return { ...problem, remote: { name, message, code, response } };
}
