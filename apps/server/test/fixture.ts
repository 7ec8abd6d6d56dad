import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication, LoggerService } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { MillraceServerOptions, Principal } from '../src/index.js';
import type { ServerOptions } from '../src/server-options.js';

/** Both kinds of HTTP that Nest has. */
export const ADAPTERS: Readonly<Record<string, () => ExpressAdapter | FastifyAdapter>> = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};

export const API = '/millrace/api/v1';

/** One for each kind of rights. */
export const PRINCIPALS: Readonly<Record<string, Principal>> = {
  viewer: { name: 'vera', role: 'viewer' },
  'viewer of payloads': { name: 'paula', role: 'viewer', payloads: true },
  operator: { name: 'otto', role: 'operator' },
  'operator who sends': { name: 'olga', role: 'operator', send: true },
  admin: { name: 'anna', role: 'admin' },
  sender: { name: 'sam', role: null, send: true },
  nobody: { name: 'nora', role: null },
};

/** The header `x-test` says who sends it. */
export const byHeader: MillraceServerOptions = { authorize: ({ headers }) => PRINCIPALS[String(headers['x-test'])] ?? null };

export const SILENT: LoggerService = { log: () => undefined, warn: () => undefined, error: () => undefined };

/** The server alone, open to this machine. */
export const ALONE: ServerOptions = {
  port: 0, host: '127.0.0.1', token: null, tokens: [], origins: [], redact: [], calls: false, requestTimeoutMs: 30_000,
};

export interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

export interface Sent {
  readonly method?: string;
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown;
  /** The address that it is sent from. Default 127.0.0.1. */
  readonly from?: string;
}

export function portOf(app: INestApplication): number {
  return ((app.getHttpServer() as Server).address() as AddressInfo).port;
}

/** Sends the path as it is, which `fetch` would not. The body of a stream is left out, since that does not end. */
export function send(app: INestApplication, path: string, { method, as, headers = {}, body, from = '127.0.0.1' }: Sent = {}): Promise<Answer> {
  const all = { ...(as === undefined ? {} : { 'x-test': as }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers };
  const verb = method ?? (body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: portOf(app), path, method: verb, headers: all, localAddress: from }, (response) => {
      const answer = { status: response.statusCode, headers: response.headers };
      const type = response.headers['content-type'] ?? '';
      if (type.startsWith('text/event-stream')) {
        resolve({ ...answer, body: '' });
        return void response.destroy();
      }
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ ...answer, body: type.includes('json') && text !== '' ? (JSON.parse(text) as unknown) : text }));
    });
    sent.on('error', reject);
    sent.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
  });
}
