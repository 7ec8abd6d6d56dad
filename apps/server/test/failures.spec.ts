import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MillraceError, MillraceModule, Topic } from '@millrace/nestjs';
import { connectServer } from '@millrace/redis';
import { startTestRedis, type TestRedis, uniqueName } from '@millrace/testing';
import { Controller, Get, type INestApplication, type LoggerService, Module, type Type } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { startServer } from '../src/start-server.js';
import { ALONE } from './fixture.js';

@Topic('test.failing')
class Failing {
  @IsInt() amount!: number;
}

/** The errors that an application of the user throws. */
let thrown: unknown;

@Controller('failing')
class FailingController {
  @Get()
  fail(): never {
    throw thrown;
  }
}

let redis: TestRedis;
let app: INestApplication | undefined;
let prefix: string;
const logged: unknown[][] = [];
const write = (...entry: unknown[]): void => void logged.push(entry);
const logger: LoggerService = { log: () => undefined, warn: (...entry) => write('warn', ...entry), error: (...entry) => write('error', ...entry) };

beforeAll(async () => void (redis = await startTestRedis()));
afterAll(() => redis.stop());
afterEach(async () => {
  await app?.close();
  app = undefined;
  logged.splice(0);
});

function applicationModule(): Type {
  prefix = uniqueName('failures');
  @Module({
    imports: [MillraceModule.forRoot({ redis: redis.url, prefix, publishDeadline: '100ms' }), MillraceModule.forFeature([Failing])],
    controllers: [FailingController],
  })
  class AppModule {}
  return AppModule;
}

async function start(): Promise<string> {
  app = await startServer(applicationModule(), ALONE, logger);
  return `http://127.0.0.1:${((app.getHttpServer() as Server).address() as AddressInfo).port}`;
}

async function answerTo(error: unknown): Promise<{ status: number; body: unknown }> {
  thrown = error;
  const response = await fetch(`${await start()}/failing`);
  return { status: response.status, body: await response.json() };
}

const FAILED = 'The server failed; its log says why.';

describe('a failure that is not the client\'s', () => {
  it('is answered without what is inside, and logged with its stack and its cause', async () => {
    const error = new MillraceError('TOPIC_MISMATCH', 'Topic x is not as it was.', { cause: new TypeError('of 10.0.0.7') });
    expect(await answerTo(error)).toEqual({ status: 500, body: { status: 500, title: FAILED, code: 'TOPIC_MISMATCH' } });
    expect(logged).toEqual([['error', 'MillraceError (TOPIC_MISMATCH): Topic x is not as it was.', expect.any(String), 'Millrace']]);
    expect(logged[0]![2]).toMatch(/failures\.spec\.ts[^]*Caused by: TypeError: of 10\.0\.0\.7/);
  });

  it('is logged without credentials, and nothing in it can forge a line or steer a terminal', async () => {
    const error = new Error('no postgres://shop:s3cret@db/x, no redis://:b@s3cret@db:6379\n[Nest] 1 LOG all is well \u001b[2J\u202e');
    expect(await answerTo(error)).toEqual({ status: 500, body: { status: 500, title: FAILED, code: 'HTTP_500' } });
    const [[, line, stack] = []] = logged as string[][];
    expect(line).toBe('Error: no postgres://***@db/x, no redis://***@db:6379 [Nest] 1 LOG all is well \\u001b[2J\\u202e');
    expect(stack).toContain('\n    [Nest] 1 LOG all is well \\u001b[2J\\u202e\n    at ');
    expect(['s3cret', '\u001b', '\u202e'].filter((text) => stack!.includes(text))).toEqual([]);
  });

  it.each([undefined, null, 'text', { status: 200 }, 7n])('that is no error is answered and logged as well: %p', async (value) => {
    expect(await answerTo(value)).toEqual({ status: 500, body: { status: 500, title: FAILED, code: 'HTTP_500' } });
    expect(logged).toEqual([['error', expect.stringContaining('Error: '), expect.any(String), 'Millrace']]);
  });

  it('from Redis is answered with its code, and the words of Redis are logged', async () => {
    const url = await start();
    const direct = await connectServer({ url: redis.url, name: 'spec' });
    const log = `${prefix}:{test.failing:0}:log`;
    await direct.control.call('DEL', log);
    await direct.control.call('SET', log, 'no stream');
    direct.close();
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/millrace/api/v1/topics/test.failing/messages`, { method: 'POST', body: '{"amount":1}', headers });
    const body = (await response.json()) as { code: string };
    expect({ status: response.status, body }).toEqual({
      status: 503, body: { status: 503, title: 'Nothing was stored. Send it again later.', code: body.code },
    });
    expect(logged.filter(([level, line]) => level === 'warn' && String(line).includes('WRONGTYPE'))).toHaveLength(1);
  });
});
