import { describe, expect, it } from '@jest/globals';
import { decodePayload, encodePayload, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH } from '@millrace/core';
import { Type } from 'class-transformer';
import { IsArray, IsDate, IsInt, IsOptional, IsString, Min, ValidateNested } from 'class-validator';
import fc from 'fast-check';
import { delivered } from './delivered.js';
import { thrownBy } from './thrown.js';

class Anything {
  [name: string]: unknown;
}

class Line {
  @IsString()
  item!: string;

  @IsInt() @Min(1)
  count!: number;
}

class Order {
  @IsString()
  id!: string;

  @IsOptional() @IsString()
  note?: string | null;

  @IsArray() @ValidateNested({ each: true }) @Type(() => Line)
  lines!: Line[];
}

const order: Order = { id: 'o1', note: null, lines: [{ item: 'mug', count: 2 }] };

function nested(levels: number): object {
  let value = {};
  for (let level = 1; level < levels; level += 1) value = level % 2 === 0 ? { inner: value } : [value];
  return { value };
}

function refusal(value: unknown): Promise<{ code: string; message: string }> {
  return thrownBy(() => encodePayload(Anything, { value }, 'publish(Anything)'));
}

describe('a payload', () => {
  it('arrives as it was published, as an instance of its class', async () => {
    const arrived = await delivered(Order, order);
    expect(arrived).toEqual(order);
    expect(arrived).toBeInstanceOf(Order);
    expect(arrived.lines[0]).toBeInstanceOf(Line);
    expect(await delivered(Order, Object.assign(new Order(), order))).toEqual(arrived);
  });

  it('keeps what its class does not declare: a newer publisher may send more', async () => {
    const newer = { ...order, added: { in: ['version', 2] }, lines: [{ ...order.lines[0], colour: 'blue' }] };
    expect(await delivered(Order, newer as Order)).toEqual(newer);
  });

  it('made of any JSON arrives equal, as text that parsing and writing again does not change', async () => {
    const check = async (data: Record<string, unknown>): Promise<void> => {
      const text = await encodePayload(Anything, data, 'publish()');
      expect(JSON.stringify(JSON.parse(text))).toBe(text);
      expect({ ...(await decodePayload(Anything, JSON.parse(text), 'message')) }).toEqual({ ...data });
    };
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }).filter(hasNoNegativeZero)), check),
      { numRuns: 150 },
    );
  });

  it('keeps text of every kind: half characters, line separators, escapes, what looks like Lua', async () => {
    const texts = ['\ud800', '\udfff', '\u2028\u2029', '\0\u001b\r\n\t"\\', '\u{1f600}', '\ufeffbom', "redis.call('FLUSHALL')", '</script>', '🏳️‍🌈'];
    const text = await encodePayload(Anything, { texts }, 'publish()');
    expect(JSON.stringify(JSON.parse(text))).toBe(text);
    // Over the wire it is UTF-8, which has no half characters: JSON writes those as escapes.
    expect(Buffer.from(text, 'utf8').toString('utf8')).toBe(text);
    expect((await delivered(Anything, { texts }))['texts']).toEqual(texts);
  });

  it('keeps numbers exactly, but for the sign of zero', async () => {
    const numbers = [0, 1, -1, 0.1, 1e21, 5e-324, 1.7976931348623157e308, 2 ** 53, -(2 ** 53) + 1, 123456789.12345679];
    expect((await delivered(Anything, { numbers }))['numbers']).toEqual(numbers);
    expect(await encodePayload(Anything, { zero: -0 }, 'publish()')).toBe('{"zero":0}');
  });

  it('leaves out properties that are undefined', async () => {
    expect(await encodePayload(Anything, { a: undefined, b: { c: undefined, d: null } }, 'publish()')).toBe('{"b":{"d":null}}');
  });

  it('may hold the same object twice', async () => {
    const address = { city: 'Leeds' };
    expect(await delivered(Anything, { from: address, to: address })).toEqual({ from: address, to: address });
  });

  it('may be an object without a prototype, frozen, or a proxy', async () => {
    const bare = Object.assign(Object.create(null) as Anything, { a: 1 });
    expect(await encodePayload(Anything, bare, 'publish()')).toBe('{"a":1}');
    expect(await encodePayload(Order, Object.freeze({ ...order }), 'publish()')).toBe(JSON.stringify(order));
    expect(await encodePayload(Order, new Proxy(order, {}), 'publish()')).toBe(JSON.stringify(order));
  });

  it('is not changed by being published or read', async () => {
    const deepFrozen = Object.freeze({ id: 'o1', lines: Object.freeze([Object.freeze({ item: 'mug', count: 2 })]) });
    await encodePayload(Order, deepFrozen as unknown as Order, 'publish()');
    await decodePayload(Order, deepFrozen, 'message');
  });
});

function hasNoNegativeZero(value: unknown): boolean {
  if (typeof value === 'number') return !Object.is(value, -0);
  return value === null || typeof value !== 'object' || Object.values(value).every(hasNoNegativeZero);
}

describe('a payload that is no object', () => {
  it.each([undefined, () => 1, Symbol('s'), 10n])('is refused: %p', async (payload) => {
    const error = await thrownBy(() => encodePayload(Anything, payload as never, 'publish(Anything)'));
    expect(error.code).toBe('UNSERIALIZABLE_PAYLOAD');
    expect(error.message).toMatch(/^publish\(Anything\): /);
  });

  it.each([null, 'text', 7, true, [], [order], new Date(), new Map([['id', 'o1']]), new Set(), Buffer.from('x'), /x/, Promise.resolve(order)])(
    'is refused: %p',
    async (payload) => {
      const error = await thrownBy(() => encodePayload(Order, payload as never, 'publish(Order)'));
      expect(error).toMatchObject({ code: expect.stringMatching(/^INVALID_PAYLOAD|UNSERIALIZABLE_PAYLOAD$/), retryable: false });
    },
  );

  it.each([null, undefined, 'text', 7, true, []])('cannot be read: %p', async (plain) => {
    const error = await thrownBy(() => decodePayload(Order, plain, 'message'));
    expect(error.code).toBe('INVALID_PAYLOAD');
    expect(error.message).toBe('message: the payload must be an object of Order.');
  });
});

describe('a value that JSON does not have', () => {
  it.each([
    ['a function', () => 1],
    ['a method of a literal', { run: () => 1 }],
    ['a symbol', Symbol('s')],
    ['a bigint', 10n],
    ['NaN', Number.NaN],
    ['Infinity', -Infinity],
    ['undefined in an array', [1, undefined]],
    // eslint-disable-next-line no-sparse-arrays -- the hole is what is tested
    ['a hole in an array', [1, , 2]],
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set([1])],
    ['a RegExp', /x/],
    ['an Error', new Error('x')],
    ['bytes', new Uint8Array(2)],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['a Promise', Promise.resolve(1)],
    ['a WeakMap', new WeakMap()],
  ])('is refused with its path: %s', async (_, value) => {
    const { code, message } = await refusal({ list: [value] });
    expect(code).toBe('UNSERIALIZABLE_PAYLOAD');
    expect(message).toMatch(/^publish\(Anything\): value\.list\[0\]/);
  });

  it.each([
    ['a Date', new Date(0), 'Date', 'String'],
    ['no date', new Date(Number.NaN), 'Date', 'Null'],
    ['a Buffer', Buffer.from('x'), 'Uint8Array', 'Object'],
    ['a URL', new URL('http://localhost'), 'URL', 'String'],
    ['an object that is text in JSON', { toJSON: () => 'text' }, 'Object', 'String'],
    ['an object that is nothing in JSON', { toJSON: () => undefined }, 'Object', 'Undefined'],
  ])('is refused where it would be delivered as something else: %s', async (_, value, kind, becomes) => {
    const { code, message } = await refusal(value);
    expect(code).toBe('UNSERIALIZABLE_PAYLOAD');
    expect(message).toMatch(`publish(Anything): value is a ${kind}, but would be delivered as ${becomes}.`);
  });

  it('is refused when it refers to itself', async () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = { list: [circle] };
    expect(await refusal(circle)).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD', message: expect.stringContaining('or refers to itself') });
  });

  it('is refused when its own code throws', async () => {
    const thrower = { get price(): number { throw new Error('no price'); } };
    expect(await refusal(thrower)).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD', message: expect.stringContaining('no price') });
    expect(await refusal({ toJSON: () => { throw new Error('not now'); } })).toMatchObject({ message: expect.stringContaining('not now') });
    const circle: unknown[] = [];
    circle.push(circle);
    expect(await refusal({ toJSON: () => circle })).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    expect(await thrownBy(() => encodePayload(Anything, { toJSON: () => undefined }, 'x'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    const proxy = new Proxy({}, { ownKeys: () => { throw new Error('keep out'); } });
    expect(await refusal(proxy)).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD', message: expect.stringContaining('keep out') });
  });

  it('an object that says itself what it is in JSON is taken by its word when that is an object', async () => {
    class Document {
      readonly secret = 'kept';

      toJSON(): object {
        return { id: 'o1', lines: [] };
      }
    }
    expect(await delivered(Order, new Document() as unknown as Order)).toEqual({ id: 'o1', lines: [] });
    expect(await delivered(Anything, { inside: new Document() })).toEqual({ inside: { id: 'o1', lines: [] } });
  });
});

describe('dates', () => {
  class Visit {
    @IsDate() @Type(() => Date)
    at!: Date;

    @IsOptional() @Type(() => Date)
    days?: Date[];
  }

  it('arrive as dates where the class says so', async () => {
    const visit = { at: new Date('2026-11-21T03:00:00.123Z'), days: [new Date(0)] };
    expect(await encodePayload(Visit, visit, 'publish()')).toBe('{"at":"2026-11-21T03:00:00.123Z","days":["1970-01-01T00:00:00.000Z"]}');
    expect({ ...(await delivered(Visit, visit)) }).toEqual(visit);
  });

  it('that are none are refused', async () => {
    const visit = { at: new Date(Number.NaN) };
    expect((await thrownBy(() => encodePayload(Visit, visit, 'publish()'))).problems).toEqual(['at must be a Date instance']);
    expect((await thrownBy(() => decodePayload(Visit, { at: 'yesterday' }, 'message'))).problems).toEqual(['at must be a Date instance']);
  });
});

describe('depth', () => {
  it('is taken up to 64 levels, in both directions', async () => {
    const deepest = nested(MAX_PAYLOAD_DEPTH - 1);
    expect(JSON.stringify(deepest).match(/[[{]/g)).toHaveLength(MAX_PAYLOAD_DEPTH);
    expect({ ...(await delivered(Anything, deepest as Anything)) }).toEqual(deepest);
  });

  it.each([65, 20_000, 200_000])('is refused at %i levels, in both directions', async (levels) => {
    const tooDeep = nested(levels - 1) as Anything;
    expect(await thrownBy(() => encodePayload(Anything, tooDeep, 'publish()'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    expect(await thrownBy(() => decodePayload(Anything, tooDeep, 'message'))).toMatchObject({ code: 'INVALID_PAYLOAD' });
  });

  it('hidden behind a toJSON is refused as well', async () => {
    expect(await thrownBy(() => encodePayload(Anything, { value: { toJSON: () => nested(64) } }, 'publish()'))).toMatchObject({ code: 'INVALID_PAYLOAD' });
    expect(await refusal({ toJSON: () => nested(20_000) })).toMatchObject({ code: expect.stringMatching(/PAYLOAD/) });
  });
});

describe('size', () => {
  const frame = '{"value":""}'.length;

  it.each([MAX_PAYLOAD_BYTES - 1, MAX_PAYLOAD_BYTES])('is taken at %i bytes', async (bytes) => {
    expect(Buffer.byteLength(await encodePayload(Anything, { value: 'x'.repeat(bytes - frame) }, 'publish()'))).toBe(bytes);
  });

  it.each([
    ['1 MiB and a byte', 'x'.repeat(MAX_PAYLOAD_BYTES + 1 - frame)],
    ['1 MiB and a byte in wide characters', `${'ü'.repeat((MAX_PAYLOAD_BYTES - frame) / 2)}x`],
    ['1 MiB and more in escapes', '\u0001'.repeat(200_000)],
    ['64 MiB', 'x'.repeat(64 * MAX_PAYLOAD_BYTES)],
    ['more than JavaScript can write', Array.from({ length: 600 }, () => 'x'.repeat(MAX_PAYLOAD_BYTES))],
    ['a million of nothing', Array.from({ length: 1_048_576 }, () => 0)],
  ])('is refused for %s', async (_, value) => {
    expect(await refusal(value)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', message: expect.stringContaining('Store the large part elsewhere') });
  });

  it('is refused early when objects that share objects grow beyond every bound', async () => {
    let value: object = {};
    for (let level = 0; level < 60; level += 1) value = [value, value];
    expect(await refusal(value)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});

describe('names that every object has', () => {
  const evil = '{"id":"o1","lines":[],"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"toString":"x","meta":{"__proto__":{"admin":true},' +
    '"constructor":"Ferrari","hasOwnProperty":1,"valueOf":null,"list":[{"constructor":{"name":"Object"},"__proto__":null}]}}';

  it('are delivered as plain data, and change nothing else', async () => {
    const arrived = await delivered(Order, JSON.parse(evil) as Order);
    expect(sorted(arrived)).toBe(sorted(JSON.parse(evil)));
    expect(Object.getOwnPropertyDescriptor(arrived, '__proto__')?.value).toEqual({ admin: true });
    expect(arrived).toBeInstanceOf(Order);
    expect(Object.getPrototypeOf(arrived)).toBe(Order.prototype);
    expect((arrived as { admin?: boolean }).admin).toBeUndefined();
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  /** As JSON with its properties in one order, own ones named `__proto__` included. */
  function sorted(value: unknown): string {
    if (value === null || typeof value !== 'object') return JSON.stringify(value);
    const parts = Object.entries(value).map(([name, part]) => `${name}:${sorted(part)}`);
    return Array.isArray(value) ? `[${parts.join()}]` : `{${parts.sort().join()}}`;
  }

  it('do not get past the validation', async () => {
    const plain = JSON.parse('{"id":7,"constructor":{"prototype":{}},"lines":[{"item":1,"constructor":"x"}]}') as Order;
    const { problems } = await thrownBy(() => decodePayload(Order, plain, 'message'));
    expect(problems).toEqual(expect.arrayContaining(['id must be a string', 'lines[0].item must be a string']));
    expect(await thrownBy(() => encodePayload(Order, plain, 'publish()'))).toMatchObject({ code: 'INVALID_PAYLOAD' });
  });

  it('keep the text as it was published', async () => {
    const text = await encodePayload(Order, JSON.parse(evil) as Order, 'publish()');
    expect(text).toBe(JSON.stringify(JSON.parse(evil)));
  });
});
