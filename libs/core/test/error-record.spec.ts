import { describe, expect, it } from '@jest/globals';
import { asError, DeadLetter, errorRecord, IdempotencyMismatchError, MillraceError, messageOf } from '@millrace/core';
import { circleOfCauses, weirdValues } from './weird-values.js';

describe('errorRecord', () => {
  it.each(weirdValues())('makes bounded plain data of %s', (_, thrown) => {
    const record = errorRecord(thrown);
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
    expect([typeof record.name, typeof record.message]).toEqual(['string', 'string']);
    expect(record.message).not.toBe('');
    expect(JSON.stringify(record).length).toBeLessThan(30_000);
  });

  it('keeps the name, message, code and stack of an error', () => {
    const record = errorRecord(new IdempotencyMismatchError('used before'));
    expect(record).toEqual({
      name: 'IdempotencyMismatchError', message: 'used before', code: 'IDEMPOTENCY_MISMATCH', stack: expect.stringContaining('error-record.spec'),
    });
    expect(errorRecord(new DeadLetter('no'))).not.toHaveProperty('code');
    expect(errorRecord(Object.assign(new Error('x'), { code: 23_505 }))).not.toHaveProperty('code');
  });

  it('keeps the chain of causes inside the stack', () => {
    const cause = new MillraceError('REDIS_FAILED', 'the middle', { cause: new TypeError('the root') });
    const { stack = '' } = errorRecord(new Error('the top', { cause }));
    expect(stack).toMatch(/^Error: the top\n[^]*\nCaused by: .*the middle\n[^]*\nCaused by: TypeError: the root\n/);
  });

  it('leaves room for the cause of an error whose stack is long', () => {
    const { stack = '', message } = errorRecord(new Error('x'.repeat(1_000_000), { cause: new Error('the root') }));
    expect(stack).toContain('\nCaused by: Error: the root');
    expect(stack.length).toBeLessThanOrEqual(8_001);
    expect(message).toHaveLength(2_001);
  });

  it('names each error of a circle once', () => {
    const { stack = '' } = errorRecord(circleOfCauses(3));
    expect(stack.match(/Error: error \d/g)).toEqual(['Error: error 0', 'Error: error 1', 'Error: error 2']);
    expect(errorRecord(circleOfCauses(1)).stack).not.toContain('Caused by');
  });

  it('follows a long chain of causes for five errors', () => {
    let error = new Error('root');
    for (let depth = 0; depth < 10_000; depth += 1) error = new Error(`depth ${depth}`, { cause: error });
    expect(errorRecord(error).stack?.match(/Caused by/g)).toHaveLength(4);
  });

  it('keeps what an error of Nest answers, whoever made its class', () => {
    const answer = { statusCode: 400, message: ['quantity must be positive', 'password must be longer'], error: 'Bad Request' };
    class HttpError extends Error {
      getStatus(): number {
        return 400;
      }

      getResponse(): object {
        return answer;
      }
    }
    expect(errorRecord(new HttpError('Bad Request Exception'))).toMatchObject({ status: 400, response: answer });
  });

  const body = { code: 'no_such_item', item: 7 };
  it.each<[string, object]>([
    ['axios', { response: { status: 422, data: body, headers: { 'set-cookie': 'x' }, config: { auth: { password: 'x' } } } }],
    ['got', { response: { statusCode: 422, body: JSON.stringify(body) } }],
    ['undici', { statusCode: 422, headers: {}, body }],
    ['ofetch', { status: 422, data: body }],
    ['a handler that keeps the text of an answer', { status: 422, body: ` ${JSON.stringify(body)}` }],
  ])('keeps the answer that an error of %s carries, and nothing else of it', (_, carried) => {
    const { name: __, message: ___, stack: ____, ...details } = errorRecord(Object.assign(new Error('failed'), carried));
    expect(details).toEqual({ status: 422, response: body });
  });

  it('keeps the parts of an AggregateError and its causes, with what they carry', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const cause = Object.assign(new TypeError('not json'), { body: 'oops' });
    const record = errorRecord(new AggregateError([refused, 'text'], 'all failed', { cause: new Error('upstream', { cause }) }));
    expect(record.errors).toEqual([
      { name: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' }, { name: 'Error', message: 'text' },
    ]);
    expect(record.cause).toEqual({ name: 'Error', message: 'upstream', cause: { name: 'TypeError', message: 'not json', response: 'oops' } });
  });

  it('keeps no secrets', () => {
    const response = {
      data: {
        user: 'ada', password: 'hunter2', accessToken: 'hunter2', nested: [{ Authorization: 'Bearer hunter2', 'Set-Cookie': ['hunter2'] }],
        text: 'see https://ada:hunter2@host/path', json: '{"apiKey":"hunter2","ok":1}', api_key: { deep: 'hunter2' }, passengers: 3,
      },
    };
    const text = 'redis://ada:hunter2@h:6379 and postgres://u:hunter2@hunter2@h/db, Bearer hunter2, {"password": "hunter2"}, ?token=hunter2&a=1';
    const error = Object.assign(new Error(text, { cause: new Error("secret: 'hunter2'") }), { response });
    const shown = JSON.stringify(errorRecord(error));
    expect(shown).not.toContain('hunter2');
    expect(errorRecord(error).response).toMatchObject({ user: 'ada', password: '[redacted]', passengers: 3, json: { ok: 1 } });
    expect(errorRecord(error).message).toContain('redis://ada:[redacted]@h:6379');
    expect(errorRecord(new Error('Unexpected token: x in https://host:80/a?b=c@d')).message).toBe('Unexpected token: x in https://host:80/a?b=c@d');
  });

  it.each<[string, () => unknown]>([
    ['deep', () => Array.from({ length: 10_000 }).reduce((inner: unknown) => ({ inner }), {})],
    ['wide', () => Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 'x'.repeat(100)]))],
    ['a tree of numbers', () => Array.from({ length: 5 }).reduce((inner: unknown) => Array.from({ length: 50 }, () => inner), 0)],
    ['long text', () => 'x'.repeat(10_000_000)],
    ['long text that looks like JSON', () => `{${'"'.repeat(10_000_000)}`],
    ['full of what begins like a secret', () => 'password="'.repeat(1_000_000)],
    ['a circle', () => Object.assign([] as unknown[], { 0: 1 }).concat([weirdValues().find(([name]) => name === 'a circle')?.[1]])],
  ])('stays small with an answer that is %s', (_, answer) => {
    const error = Object.assign(new Error('x'), { body: answer() });
    const parts = Array.from({ length: 20 }, () => Object.assign(new Error('x'.repeat(10_000)), { body: error.body }));
    const record = errorRecord(Object.assign(new AggregateError(parts), { body: error.body }));
    expect(JSON.stringify(record).length).toBeLessThan(60_000);
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
  });

  it('leaves out streams, buffers and functions', () => {
    const error = Object.assign(new Error('x'), { body: { stream: process.stdin, bytes: Buffer.from('abc'), call: () => 1, at: new Date(0) } });
    expect(errorRecord(error).response).toEqual({ at: '1970-01-01T00:00:00.000Z' });
  });

  it.each(['cause', 'code', 'stack', 'errors', 'status', 'getResponse'])('keeps the words of an error whose %s cannot be read', (name) => {
    const get = (): never => {
      throw new Error('do not look at me');
    };
    const error = Object.defineProperty(new TypeError('the words'), name, { get });
    expect(errorRecord(error)).toMatchObject({ name: 'TypeError', message: 'the words', stack: expect.stringContaining('TypeError: the words') });
  });

  it.each<[string, () => unknown]>([
    ['the name of an error', () => Object.assign(new Error('x'), { name: 'Bearer hunter2' })],
    ['the code of an error', () => Object.assign(new Error('x'), { code: 'postgres://u:hunter2@h/db' })],
    ['a map that was thrown', () => new Map([['password', 'hunter2']])],
    ['the names of an answer', () => Object.assign(new Error('x'), { body: { 'token=hunter2': 1 } })],
    ['pairs of an answer', () => Object.assign(new Error('x'), { body: [['password', 'hunter2']] })],
    ['headers as they are sent', () => new Error('sent: X-Api-Key: hunter2\r\nAuthorization: hunter2\r\nCookie: sid=hunter2; b=hunter2\r\n')],
    ['JSON inside JSON', () => new Error(JSON.stringify(JSON.stringify({ password: 'my "hunter2"' })))],
  ])('keeps no secrets in %s', (_, thrown) => {
    expect(JSON.stringify(errorRecord(thrown()))).not.toContain('hunter2');
  });

  it('keeps lists of sentences that begin with the name of a secret', () => {
    const message = ['password must be longer', 'email must be an email'];
    expect(errorRecord(Object.assign(new Error('x'), { body: { message } })).response).toEqual({ message });
  });

  it('does not cut a character in two', () => {
    const { message } = errorRecord(new Error(`${'x'.repeat(1_999)}\u{1f600}${'x'.repeat(10)}`));
    expect(message).toBe(`${'x'.repeat(1_999)}…`);
  });
});

describe('asError', () => {
  it.each(weirdValues())('gives an error that can be read for %s', (_, thrown) => {
    const error = asError(thrown);
    expect(typeof error.message).toBe('string');
    expect(typeof error.name).toBe('string');
    expect(asError(error)).toBe(error);
  });

  it('keeps errors as they are, Node’s own as well', () => {
    const own = new TypeError('x');
    expect(asError(own)).toBe(own);
    const foreign = weirdValues().find(([name]) => name === 'an error of another realm')?.[1];
    expect(asError(foreign)).toBe(foreign);
  });

  it('says what was thrown', () => {
    expect(asError('text').message).toBe('text');
    expect(asError({ status: 404 }).message).toBe('a value that is no Error was thrown: { status: 404 }');
    expect(asError(undefined).message).toBe('a value that is no Error was thrown: undefined');
  });
});

describe('messageOf', () => {
  it('is what the parts of an error say that says nothing itself', () => {
    const refused = ['::1', '127.0.0.1'].map((host) => new Error(`connect ECONNREFUSED ${host}:6379`));
    expect(messageOf(new AggregateError(refused))).toBe('connect ECONNREFUSED ::1:6379; connect ECONNREFUSED 127.0.0.1:6379');
    expect(errorRecord(new AggregateError(refused)).message).toContain('ECONNREFUSED ::1:6379');
    expect(messageOf(new AggregateError(refused, 'no luck'))).toBe('no luck');
    const many = Array.from({ length: 1_000 }, (_, index) => new Error(`part ${index}`));
    expect(messageOf(new AggregateError(many))).toMatch(/^part 0; part 1; .*; part 9; and 990 more$/);
    expect(messageOf(Object.assign(new Error(), { code: 'EPIPE' }))).toBe('EPIPE');
    expect(messageOf(new RangeError())).toBe('RangeError');
  });
});

describe('MillraceError', () => {
  it('lists its problems in its message', () => {
    const error = new MillraceError('INVALID_OPTIONS', 'Not good.', { problems: ['a', 'b'] });
    expect(error.message).toBe('Not good.\n  - a\n  - b');
    expect(error).toMatchObject({ name: 'MillraceError', retryable: false, problems: ['a', 'b'] });
    expect('cause' in error).toBe(false);
    expect(new MillraceError('CLOSED', 'x', { cause: null })).toHaveProperty('cause', null);
  });
});
