import { afterEach, describe, expect, it } from '@jest/globals';
import { MillraceError, MillraceModule, Topic } from '@millrace/nestjs';
import { Controller, Get, type LoggerService } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { API, type Answer } from './fixture.js';
import { ServerBed } from './server-bed.js';

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

const bed = new ServerBed('failures');
const logged: unknown[][] = [];
const write = (...entry: unknown[]): void => void logged.push(entry);
const logger: LoggerService = { log: () => undefined, warn: (...entry) => write('warn', ...entry), error: (...entry) => write('error', ...entry) };

afterEach(() => void logged.splice(0));

async function start(): Promise<void> {
  const parts = { imports: [MillraceModule.forFeature([Failing])], controllers: [FailingController] };
  await bed.startAlone(bed.module(parts, { publishDeadline: '100ms' }), {}, logger);
}

async function answerTo(error: unknown): Promise<Pick<Answer, 'status' | 'body'>> {
  thrown = error;
  await start();
  const { status, body } = await bed.send('/failing');
  return { status, body };
}

const FAILED = 'The server failed; its log says why.';

describe('a failure that is not the client\'s', () => {
  it('is answered without what is inside, and logged with its stack and its cause', async () => {
    const error = new MillraceError('TOPIC_MISMATCH', 'Topic x is not as it was.', { cause: new TypeError('of 10.0.0.7') });
    expect(await answerTo(error)).toEqual({ status: 500, body: { title: 'Internal Server Error', status: 500, detail: FAILED, code: 'TOPIC_MISMATCH' } });
    expect(logged).toEqual([['error', 'MillraceError (TOPIC_MISMATCH): Topic x is not as it was.', expect.any(String), 'Millrace']]);
    expect(logged[0]![2]).toMatch(/failures\.spec\.ts[^]*Caused by: TypeError: of 10\.0\.0\.7/);
  });

  it('is logged without credentials, and nothing in it can forge a line or steer a terminal', async () => {
    const error = new Error('no postgres://shop:s3cret@db/x, no redis://:b@s3cret@db:6379\n[Nest] 1 LOG all is well \u001b[2J\u202e');
    expect(await answerTo(error)).toEqual({ status: 500, body: { title: 'Internal Server Error', status: 500, detail: FAILED, code: 'HTTP_500' } });
    const [[, line, stack] = []] = logged as string[][];
    expect(line).toBe('Error: no postgres://***@db/x, no redis://***@db:6379 [Nest] 1 LOG all is well \\u001b[2J\\u202e');
    expect(stack).toContain('\n    [Nest] 1 LOG all is well \\u001b[2J\\u202e\n    at ');
    expect(['s3cret', '\u001b', '\u202e'].filter((text) => stack!.includes(text))).toEqual([]);
  });

  it.each([undefined, null, 'text', { status: 200 }, 7n])('that is no error is answered and logged as well: %p', async (value) => {
    expect(await answerTo(value)).toEqual({ status: 500, body: { title: 'Internal Server Error', status: 500, detail: FAILED, code: 'HTTP_500' } });
    expect(logged).toEqual([['error', expect.stringContaining('Error: '), expect.any(String), 'Millrace']]);
  });

  it('from Redis is answered with its code, and the words of Redis are logged', async () => {
    await start();
    const log = `${bed.prefix}:{test.failing:0}:log`;
    await bed.command('DEL', log);
    await bed.command('SET', log, 'no stream');
    const { status, body } = await bed.send(`${API}/topics/test.failing/messages`, { body: { amount: 1 } });
    expect({ status, body }).toEqual({
      status: 503, body: { title: 'Service Unavailable', status: 503, detail: 'Nothing was stored. Send it again later.', code: 'REDIS_FAILED' },
    });
    expect(logged.filter(([level, line]) => level === 'warn' && String(line).includes('WRONGTYPE'))).toHaveLength(1);
  });
});
