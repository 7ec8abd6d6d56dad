import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import { Redis } from 'ioredis';
import { hearingErrors } from '../../src/connection/socket-errors.js';

let server: TestRedis;
beforeAll(async () => void (server = await startTestRedis()));
afterAll(() => server.stop());

it('a second error of a socket, for which ioredis does not listen, ends no process', async () => {
  const redis = hearingErrors(new Redis({ port: server.port, lazyConnect: true, retryStrategy: () => null }));
  const errors: unknown[] = [];
  redis.on('error', (error: unknown) => void errors.push(error));
  await redis.connect();
  const { stream } = redis as unknown as { readonly stream: NodeJS.EventEmitter };
  for (const text of ['the first', 'a second']) stream.emit('error', new Error(text));
  redis.disconnect();
  expect(errors).toEqual([new Error('the first')]);
});
