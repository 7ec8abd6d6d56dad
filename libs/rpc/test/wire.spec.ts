import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import { RpcIndefiniteError, RpcNoInstanceError, RpcRemoteError } from '@millrace/rpc';
import { nextInRing } from '../src/serve/take-over.js';
import { answerField, parseAnswerField } from '../src/wire/answer-frame.js';
import { boundedBatches } from '../src/wire/bounded-batches.js';
import { errorOf, errorText } from '../src/wire/error-answer.js';
import { headerText, parseRequest } from '../src/wire/request-frame.js';
import { grantText, parseGrants, parseStreamField, streamField } from '../src/wire/stream-frame.js';

const header = { correlation: 7, methodText: '"m\\"x"', inbox: 'a-1.2', budgetMs: 500, isIdempotent: true, isOneWay: false, window: 0 };

describe('the frame of a request', () => {
  it.each([
    [{ requestId: undefined, headers: undefined }, { requestId: null, headers: null }],
    [{ requestId: 'id "1"', headers: undefined }, { requestId: 'id "1"', headers: null }],
    [{ requestId: undefined, headers: { a: '"' } }, { requestId: null, headers: { a: '"' } }],
    [{ requestId: 'id', headers: {} }, { requestId: 'id', headers: {} }],
    [{ requestId: undefined, headers: undefined, window: 64 }, { requestId: null, headers: null, window: 64 }],
    [{ requestId: undefined, headers: { a: 'b' }, window: 1 }, { requestId: null, headers: { a: 'b' }, window: 1 }],
  ])('is read as it was written: %j', (written, read) => {
    const frame = parseRequest([headerText({ ...header, ...written }), '{"x":1}']);
    const { methodText: _, ...rest } = header;
    expect(frame).toEqual({ ...rest, ...read, method: 'm"x', payload: '{"x":1}' });
  });

  it('is refused without an error when it is anything else', () => {
    const text = headerText({ ...header, requestId: 'id', headers: { a: 'b' } });
    for (let end = 0; end < text.length; end += 1) expect(parseRequest([text.slice(0, end), ''])).toBeNull();
    for (const fields of [null, undefined, 7, 'h', [], [null], [text], [1, 2], [text, 2], [text, '', 'x'], [text, '', 'x', 'y']]) expect(parseRequest(fields)).toBeNull();
  });
});

describe('the field of an answer', () => {
  it('is read as it was written', () => {
    for (const kind of ['r', 'n', 'e'] as const) expect(parseAnswerField(answerField(kind, 12))).toEqual({ kind, correlation: 12 });
  });

  it.each(['', 'r', 'x1', 'r01', 'r-1', 'r1.5', 'r1e3', ' r1', 'r1 ', 'r12345678901234567', null, 7])('is refused without an error when it is %j', (field) => {
    expect(parseAnswerField(field)).toBeNull();
  });
});

describe('the field of a streamed answer', () => {
  it('is read as it was written', () => {
    for (const kind of ['o', 'i', 'd', 'f'] as const) {
      const frame = { kind, correlation: 12, run: 'aZ_9-', number: 7 };
      expect(parseStreamField(streamField(frame))).toEqual(frame);
      expect(parseAnswerField(streamField(frame))).toBeNull();
    }
  });

  it.each(['', 'i1', 'i1.a', 'i1.a.', 'i1..2', 'r1.a.2', 'i01.a.2', 'i1.a.02', 'i1.a.-2', 'i1.a.2 ', 'i1.a b.2', `i1.${'a'.repeat(17)}.2`, null, 7])(
    'is refused without an error when it is %j',
    (field) => {
      expect(parseStreamField(field)).toBeNull();
    },
  );
});

describe('a message of grants', () => {
  it('is read as it was written, and without the lines that are none', () => {
    const grants = [{ inbox: 'a.1', correlation: 3, run: 'x', upTo: 96 }, { inbox: 'b.2', correlation: 4, run: 'y', upTo: 0 }];
    expect(parseGrants(grants.map(grantText).join('\n'))).toEqual(grants);
    expect(parseGrants(`x\n${grantText(grants[0]!)}\na.1 3 x 1e3\na.1 3 x -1\n a.1 3 x 5`)).toEqual([grants[0]]);
  });
});

describe('the text of an error', () => {
  it('comes back as an error of Millrace where the code is one', () => {
    const back = errorOf(errorText(new MillraceError('INVALID_PAYLOAD', 'no', { retryable: true }), false));
    expect(back).toMatchObject({ name: 'MillraceError', code: 'INVALID_PAYLOAD', message: 'no', retryable: true });
    const refused = new MillraceError('INVALID_PAYLOAD', 'no valid Charge.', { problems: ['cents must be an integer', 'a problem\n  of two lines'] });
    expect(errorOf(errorText(refused, false))).toMatchObject({ message: refused.message, problems: refused.problems });
    expect(back.problems).toEqual([]);
    expect(errorOf(errorText(new RpcIndefiniteError('x'), false))).toBeInstanceOf(RpcIndefiniteError);
    expect(errorOf(errorText(new RpcNoInstanceError('x'), false))).toBeInstanceOf(RpcNoInstanceError);
  });

  it('has no stack at any depth, and has them when that is wanted', () => {
    const error = new AggregateError([new Error('part', { cause: new Error('inner') })], 'all', { cause: new Error('why') });
    expect(errorText(error, false)).not.toContain('stack');
    expect(errorText(error, true)).toContain('stack');
    expect((errorOf(errorText(error, false)) as RpcRemoteError).remote).toMatchObject({ errors: [{ message: 'part' }], cause: { message: 'why' } });
  });

  it.each(['', 'null', '7', '[]', '{}', '{"name":1,"message":2}'])('that is %j is said to be none', (text) => {
    expect(errorOf(text)).toMatchObject({ code: 'REMOTE_FAILED' });
  });
});

describe('a batch for one stream', () => {
  const sizes = (batches: readonly (readonly number[])[]): number[] => batches.map(({ length }) => length);

  it('is split into parts of 64, and of about 256 KB', () => {
    expect(sizes(boundedBatches(Array.from({ length: 130 }, () => 1), (size) => size))).toEqual([64, 64, 2]);
    expect(sizes(boundedBatches([200_000, 100_000, 100_000, 300_000, 1], (size) => size))).toEqual([1, 2, 1, 1]);
    expect(sizes(boundedBatches([1], (size) => size))).toEqual([1]);
  });
});

describe('the instances that one watches', () => {
  it('are the next two in the ring of their names', () => {
    expect(nextInRing(['d', 'b', 'a', 'c'], 'b')).toEqual(['c', 'd']);
    expect(nextInRing(['a', 'b', 'c', 'put-back'], 'c')).toEqual(['a', 'b']);
    expect(nextInRing(['a', 'b'], 'b')).toEqual(['a']);
    expect(nextInRing(['b', 'for:ged'], 'b')).toEqual([]);
  });
});
