import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { SERVER_SETTINGS } from './admission.js';
import type { ServerSettings } from './server-module-options.js';

/** The headers by which a parser knows that there is a body. */
const BODY_HEADERS = ['content-type', 'content-length', 'content-encoding', 'transfer-encoding'] as const;

export type BodyHead = Pick<IncomingHttpHeaders, (typeof BODY_HEADERS)[number]>;

const claimed = new WeakMap<IncomingMessage, BodyHead>();

interface Fastify {
  addHook(name: 'onRequest', hook: (request: { readonly raw: IncomingMessage }, reply: unknown, done: () => void) => void): unknown;
}

/**
 * Keeps the application's parsers away from the bodies of our routes: a stranger's is not read at all, and one that would be
 * stored as something else than was sent is refused. It is there before any parser, since Nest adds its own when all providers
 * are made. In an application of `Test.createTestingModule` there is no adapter yet, and its own parser reads them.
 */
@Injectable()
export class BodyClaim {
  constructor({ httpAdapter }: HttpAdapterHost, @Inject(SERVER_SETTINGS) { base }: ServerSettings) {
    const claim = (request: IncomingMessage, next: () => void): void => {
      if (isBelow(request, base)) claimBody(request);
      next();
    };
    const type = (httpAdapter as HttpAdapterHost['httpAdapter'] | undefined)?.getType();
    if (type === 'express') httpAdapter.use((request: IncomingMessage, _: unknown, next: () => void) => claim(request, next));
    if (type === 'fastify') httpAdapter.getInstance<Fastify>().addHook('onRequest', ({ raw }, _, done) => claim(raw, done));
  }
}

/** The headers of a body that nobody has read; undefined: a parser of the application has. */
export function headOf(request: IncomingMessage): BodyHead | undefined {
  return claimed.get(request);
}

/** Whether it is for one of our paths, behind whatever prefix the application has. */
export function isBelow({ url = '' }: IncomingMessage, base: string): boolean {
  const [path = ''] = url.split('?');
  return `${path}/`.toLowerCase().includes(`/${base}/`.toLowerCase());
}

function claimBody(request: IncomingMessage): void {
  const { headers } = request;
  claimed.set(request, Object.fromEntries(BODY_HEADERS.map((name) => [name, headers[name]])));
  for (const name of BODY_HEADERS) Reflect.deleteProperty(headers, name);
}
