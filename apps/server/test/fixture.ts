import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
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

const PRINCIPALS: Readonly<Record<string, Principal>> = {
  viewer: { name: 'vera', role: 'viewer' },
  admin: { name: 'anna', role: 'admin' },
  sender: { name: 'sam', role: null, send: true },
};

/** The header `x-test` says who sends it. */
export const byHeader: MillraceServerOptions = { authorize: ({ headers }) => PRINCIPALS[String(headers['x-test'])] ?? null };

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
}

export function portOf(app: INestApplication): number {
  return ((app.getHttpServer() as Server).address() as AddressInfo).port;
}

/** Sends the path as it is, which `fetch` would not. */
export function send(app: INestApplication, path: string, { method, as, headers = {}, body }: Sent = {}): Promise<Answer> {
  const all = { ...(as === undefined ? {} : { 'x-test': as }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers };
  const verb = method ?? (body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: portOf(app), path, method: verb, headers: all }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const isJson = response.headers['content-type']?.includes('json');
        resolve({ status: response.statusCode, headers: response.headers, body: isJson && text !== '' ? (JSON.parse(text) as unknown) : text });
      });
    });
    sent.on('error', reject);
    sent.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
  });
}
