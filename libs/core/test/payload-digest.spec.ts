import { describe, expect, it } from '@jest/globals';
import { jsonDigest } from '@millrace/core';
import fc from 'fast-check';

/** The same JSON with the properties of every object set in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).reverse().map(([name, part]) => [name, turned(part)]));
}

describe('the digest of JSON', () => {
  it('does not depend on the order of properties, and on nothing else', () => {
    const json = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
    fc.assert(
      fc.property(json, json, (one, other) => {
        expect(jsonDigest(turned(one))).toBe(jsonDigest(one));
        const same = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
        expect(jsonDigest(one) === jsonDigest(other)).toBe(same);
      }),
    );
  });

  function sorted(value: unknown): unknown {
    if (Array.isArray(value)) return ['list', ...value.map(sorted)];
    if (value === null || typeof value !== 'object') return value;
    return ['object', ...Object.keys(value).sort().map((name) => [name, sorted(Reflect.get(value, name))])];
  }

  it('tells apart what is easily taken for the same', () => {
    const values: unknown[] = [[], {}, '', null, 0, '0', [null], [[]], { a: [1, 2] }, { a: [2, 1] }, { a: 1, b: 2 }, { a: 2, b: 1 }, { 'a":1,"b': 2 }];
    expect(new Set(values.map(jsonDigest)).size).toBe(values.length);
    expect(jsonDigest(JSON.parse('{"__proto__":1}'))).not.toBe(jsonDigest({}));
  });

  it('has 16 characters that stand in a key as they are', () => {
    expect(jsonDigest({ a: 1 })).toMatch(/^[A-Za-z0-9_-]{16}$/);
  });
});
