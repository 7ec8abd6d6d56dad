import { describe, expect, it } from '@jest/globals';
import { asError, DeadLetter, errorRecord, IdempotencyMismatchError, MillraceError, messageOf } from '@millrace/core';
import { circleOfCauses, weirdValues } from './weird-values.js';

describe('errorRecord', () => {
  it.each(weirdValues())('makes bounded plain data of %s', (_, thrown) => {
    const record = errorRecord(thrown);
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
    expect(Object.values(record).every((part) => typeof part === 'string')).toBe(true);
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
