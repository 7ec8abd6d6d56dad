import { describe, expect, it } from '@jest/globals';
import { AnyJson, decoded, defineTopic, encoded, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH } from '@millrace/core';
import fc from 'fast-check';
import { Recorder } from './recorder.js';
import { thrownBy } from './thrown.js';

const Anything = defineTopic('anything');

function textOf(payload: unknown, isSorted = false): string {
  return encoded(AnyJson, { given: { payload, where: 'publish(anything)' }, unknownProperties: 'refuse', isSorted }) as string;
}

function read(json: string): unknown {
  return decoded(AnyJson, JSON.parse(json), { where: 'message', unknownProperties: 'strip' });
}

function nested(levels: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { inner: value } : [value];
  return value;
}

describe('a payload of a topic without a class', () => {
  it.each([
    [null], [true], [false], [0], [-1.5e-7], [''], ['text with \0, " and \\'], ['漢字 🎉'], [[]], [{}], [[[1, [2]], { a: null }]], [{ 'a key': [false] }],
    ['half \ud800'], [JSON.parse('{"__proto__":{"a":1},"constructor":2,"toString":"x"}') as unknown],
  ])('arrives as it was published: %j', (payload) => {
    const arrived = read(textOf(payload));
    expect(arrived).toStrictEqual(payload);
    expect(JSON.stringify(arrived)).toBe(textOf(payload));
  });

  it('made of any JSON arrives equal, as text that parsing and writing again does not change', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (payload, isSorted) => {
        const text = textOf(payload, isSorted);
        expect(JSON.stringify(JSON.parse(text))).toBe(text);
        expect(read(text)).toEqual(JSON.parse(JSON.stringify(payload)));
      }),
    );
  });

  it('is handed over as it was parsed, with all of its properties', () => {
    const parsed = { a: { b: [1] } };
    expect(decoded(AnyJson, parsed, { where: 'message', unknownProperties: 'strip' })).toBe(parsed);
  });

  it('may be an instance of a class: its own properties travel, and those that are undefined do not', () => {
    class Entry {
      readonly what = 'a';
      readonly more = undefined;
      readonly list = [{ b: -0 }];
    }
    expect(textOf(new Entry())).toBe('{"what":"a","list":[{"b":0}]}');
  });

  it('has sorted names where there is an idempotency key, and only there', async () => {
    const { publisher, sent } = new Recorder();
    await publisher.publish(Anything, [{ b: 1, a: { d: 2, c: 3 } }], { idempotencyKey: 'k' });
    await publisher.publish(Anything, [{ b: 1, a: 2 }]);
    await publisher.publish(Anything, null, { idempotencyKey: 'k' });
    expect(sent.map(({ payloadJson }) => payloadJson)).toEqual(['[{"a":{"c":3,"d":2},"b":1}]', '[{"b":1,"a":2}]', 'null']);
  });

  it('makes its key by the function of its topic', async () => {
    const { publisher, sent } = new Recorder();
    const Texts = defineTopic<string>('texts', { key: (text) => text.slice(0, 1) });
    await publisher.publish(Texts, 'abc');
    expect(sent).toMatchObject([{ key: 'a', payloadJson: '"abc"' }]);
    const failing = defineTopic<string>('texts', { key: () => { throw new Error('no'); } });
    expect((await thrownBy(() => publisher.publish(failing, 'a'))).message).toContain("the key function of topic 'texts' threw: no");
  });

  const circle: unknown[] = [];
  circle.push({ circle });
  const ADVICE = 'Publish something else in its place, or give the topic a class (payload) that makes it again.';
  it.each([
    ['undefined', undefined, 'the payload is of type undefined, which JSON does not have.'],
    ['a bigint', 1n, 'the payload is of type bigint, which JSON does not have.'],
    ['a function', () => 1, 'the payload is of type function, which JSON does not have.'],
    ['a symbol', Symbol('s'), 'the payload is of type symbol, which JSON does not have.'],
    ['NaN', Number.NaN, 'the payload is NaN, which JSON does not have.'],
    ['an infinity inside', { a: [1, -Infinity] }, 'a[1] is -Infinity, which JSON does not have.'],
    ['undefined in a list', [1, undefined], '[1] is undefined in an array, which JSON does not have.'],
    ['a hole in a list', new Array(2), '[0] is undefined in an array, which JSON does not have.'],
    ['a function inside', { a: { b: () => 1 } }, 'a.b is a function, which JSON does not have.'],
    ['a bigint inside', { a: 1n }, `a is a BigInt, which JSON does not have. ${ADVICE}`],
    ['a Map', new Map([['a', 1]]), `the payload is a Map, which JSON does not have. ${ADVICE}`],
    ['a Set beside a Date', { at: new Date(0), a: new Set([1]) }, `a is a Set, which JSON does not have. ${ADVICE}`],
    ['a text that is an object', { a: Object('x') as unknown }, `a is a String, which JSON does not have. ${ADVICE}`],
    ['an error', new Error('x'), `the payload is a Error, which JSON does not have. ${ADVICE}`],
    ['a Date', new Date(0), `the payload is a Date, but would be delivered as String. ${ADVICE}`],
    ['an invalid Date', { at: new Date(Number.NaN) }, `at is a Date, but would be delivered as Null. ${ADVICE}`],
    ['bytes', { a: Buffer.from('ab') }, `a is a Uint8Array, but would be delivered as Object. ${ADVICE}`],
    ['what decides its own JSON', { a: { toJSON: () => 7 } }, `a is a Object, but would be delivered as Number. ${ADVICE}`],
    ['what decides for nothing', { a: { toJSON: () => undefined } }, `a is a Object, but would be delivered as Undefined. ${ADVICE}`],
    ['an instance that decides its own JSON', new (class Money { toJSON(): string { return '5 EUR'; } })(), `the payload is a Object, but would be delivered as String. ${ADVICE}`],
    ['a list that decides its own JSON', { a: Object.assign([1], { toJSON: () => [] }) }, `a is a Array, but would be delivered as another one. ${ADVICE}`],
    ['what refers to itself', circle, `the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels, or refers to itself.`],
    ['what nests too deep', nested(MAX_PAYLOAD_DEPTH + 1), `the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels, or refers to itself.`],
    ['what throws when it is read', { get a(): never { throw new Error('no'); } }, 'the payload cannot be written as JSON: no'],
  ])('is refused as %s', async (_, payload, text) => {
    const error = await thrownBy(() => textOf(payload));
    expect(error).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD', message: `publish(anything): ${text}` });
  });

  it('is refused for all values that would be delivered as others', async () => {
    const { problems } = await thrownBy(() => textOf({ from: new Date(0), to: [new Date(1)] }));
    expect(problems).toEqual([
      'from is a Date, but would be delivered as String',
      'to[0] is a Date, but would be delivered as String',
    ]);
  });

  it('is refused beyond 1 MiB of JSON, and not before', async () => {
    const most = 'x'.repeat(MAX_PAYLOAD_BYTES - 2);
    expect(Buffer.byteLength(textOf(most))).toBe(MAX_PAYLOAD_BYTES);
    for (const payload of [`${most}x`, 'ü'.repeat(MAX_PAYLOAD_BYTES / 2), new Array(MAX_PAYLOAD_BYTES).fill(0)]) {
      expect(await thrownBy(() => textOf(payload))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    }
  });

  it('is read up to the depth that can be published', async () => {
    expect(read(textOf(nested(MAX_PAYLOAD_DEPTH)))).toEqual(nested(MAX_PAYLOAD_DEPTH));
    const error = await thrownBy(() => read(JSON.stringify(nested(MAX_PAYLOAD_DEPTH + 1))));
    expect(error).toMatchObject({ code: 'INVALID_PAYLOAD', message: `message: the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels.` });
  });
});
