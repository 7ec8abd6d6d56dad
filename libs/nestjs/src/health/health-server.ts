import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { MillraceError } from '@millrace/core';
import { failureText } from '../log/failure-text.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Health, Liveness, Readiness } from './health.js';

export interface HealthPort {
  /** 0 takes a free one. */
  readonly port: number;
  readonly host: string;
  /** Whether readiness tells of each part, with names, addresses and the texts of errors. */
  readonly details: boolean;
}

type HealthAddress = Omit<HealthPort, 'details'>;

interface Answer {
  readonly status: number;
  /** Text has a type of its own. */
  readonly body: object | { readonly text: string; readonly type: string };
}

const PATHS = ['/health/live', '/health/ready'];
const METRICS_PATH = '/metrics';
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * Answers probes over HTTP, with JSON: 200 when all is well, 503 when not. It asks for no token, so it tells the state alone,
 * unless it is told to give the details. Where the process counts, it has the metrics, too. It listens before the application
 * starts.
 */
export class HealthServer {
  readonly #server: Server;
  readonly #details: boolean;
  readonly #logger = new Logger('Millrace');
  #health: Health | null = null;
  #telemetry: Telemetry | null = null;

  private constructor(details: boolean) {
    this.#details = details;
    const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: REQUEST_TIMEOUT_MS };
    this.#server = createServer(timeouts, (request, response) => {
      void this.#answer(request).then((answer) => send(response, answer));
    });
  }

  /** @throws MillraceError PORT_IN_USE, INVALID_OPTIONS when the address cannot be listened on */
  static async listen({ port, host, details }: HealthPort): Promise<HealthServer> {
    const health = new HealthServer(details);
    await new Promise<void>((resolve, reject) => {
      health.#server.once('error', (error) => reject(cannotListen(error, { port, host })));
      health.#server.listen({ port, host, exclusive: true }, resolve);
    });
    return health;
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Answers for the started application from now on. */
  answerFor(health: Health, telemetry: Telemetry): void {
    this.#health = health;
    this.#telemetry = telemetry;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer({ method, url }: IncomingMessage): Promise<Answer> {
    const path = url?.split('?')[0] ?? '';
    const isKnown = PATHS.includes(path) || (path === METRICS_PATH && this.#telemetry?.hasMetrics);
    if (!isKnown) return { status: 404, body: { ok: false, problem: `there are only ${PATHS.join(' and ')}` } };
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: { ok: false, problem: 'only GET is answered' } };
    try {
      return path === METRICS_PATH ? await this.#counted(this.#telemetry!) : await this.#probed(path);
    } catch (thrown) {
      const { line, stack } = failureText(thrown);
      this.#logger.error(line, stack);
      return { status: 503, body: { ok: false, problem: 'it failed; the log says why' } };
    }
  }

  async #counted(telemetry: Telemetry): Promise<Answer> {
    return { status: 200, body: { text: await telemetry.text(), type: telemetry.contentType } };
  }

  async #probed(path: string): Promise<Answer> {
    const report = path === '/health/live' ? this.#live() : await this.#ready();
    return { status: report.ok ? 200 : 503, body: report };
  }

  #live(): { ok: boolean } {
    return this.#health?.live() ?? { ok: true, ...STARTING };
  }

  async #ready(): Promise<{ ok: boolean }> {
    const readiness = await this.#health?.ready();
    if (!readiness) return { ok: false, ...STARTING };
    return this.#details ? readiness : withoutDetails(readiness);
  }
}

const STARTING = { state: 'starting' };

function withoutDetails({ ok, state }: Readiness): Liveness {
  return { ok, state };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const { text, type } = 'text' in body ? body : { text: `${JSON.stringify(body)}\n`, type: 'application/json; charset=utf-8' };
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(text);
}

function cannotListen(error: NodeJS.ErrnoException, { port, host }: HealthAddress): MillraceError {
  if (error.code === 'EADDRINUSE') {
    const advice = 'Stop what uses it, or set MILLRACE_HEALTH_PORT to another port.';
    return new MillraceError('PORT_IN_USE', `Port ${port} of ${host} is in use, so it cannot serve health. ${advice}`, { cause: error });
  }
  const advice = 'Set MILLRACE_HEALTH_HOST and MILLRACE_HEALTH_PORT to an address of this machine.';
  return new MillraceError('INVALID_OPTIONS', `Health cannot be served at ${host}:${port}: ${error.message}. ${advice}`, { cause: error });
}
