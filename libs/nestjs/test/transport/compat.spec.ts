import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Server, type MsPattern } from '@nestjs/microservices';
import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import * as constants from '@nestjs/microservices/constants.js';
import { ExecutionContextHost } from '@nestjs/core/internal';
import { lastValueFrom, type Observable } from 'rxjs';
import { causeOf, COLLAPSED, keepCauses, NO_MESSAGE_HANDLER } from '../../src/transport/compat.js';
import { MillraceContext } from '../../src/transport/millrace-context.js';

class Routes extends Server {
  listen(): void {}
  close(): void {}
  on(): void {}
  unwrap<T>(): T {
    throw new Error('not here');
  }
  route(pattern: unknown): string {
    return this.normalizePattern(pattern as MsPattern);
  }
}

async function shown(thrown: unknown, second: unknown): Promise<unknown> {
  const host = new ExecutionContextHost([{}, second]);
  const handled = new RpcExceptionsHandler().handle(thrown as Error, host) as Observable<unknown>;
  return lastValueFrom(handled).then(() => null, (error: unknown) => error);
}

function context(): MillraceContext {
  return Object.create(MillraceContext.prototype) as MillraceContext;
}

beforeAll(() => void Logger.overrideLogger(false));
afterAll(() => void Logger.overrideLogger(true));

describe('the installed @nestjs/microservices', () => {
  it('makes other words of an exception in one place, where ours are remembered', async () => {
    keepCauses();
    keepCauses();
    const thrown = new TypeError('secret');
    const given = await shown(thrown, context());
    expect(given).toEqual({ status: 'error', message: 'Internal server error' });
    expect(causeOf(given)).toBe(thrown);
  });

  it('is left as it is for other transports', async () => {
    keepCauses();
    const given = await shown(new TypeError('secret'), {});
    expect(given).toEqual({ status: 'error', message: 'Internal server error' });
    expect(causeOf(given)).toBe(given);
  });

  it('answers with the same words where nobody handles a pattern', () => {
    expect((constants as Record<string, unknown>).NO_MESSAGE_HANDLER).toBe(NO_MESSAGE_HANDLER);
  });

  it('writes the same words in the place of patterns that are too large', () => {
    const deep = { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } };
    const wide = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, 1]));
    const routes = [new Routes().route(wide), new Routes().route(deep)];
    expect(routes.map((route, index) => route.includes(COLLAPSED[index]!))).toEqual([true, true]);
  });
});
