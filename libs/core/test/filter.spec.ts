import { describe, expect, it } from '@jest/globals';
import { matcherOf, type Message, type MessageFilter } from '@millrace/core';

const message: Message = {
  id: 'm', key: 'k1', idempotencyKey: null, headers: { region: 'eu', kind: 'x' }, expiresAt: null, type: 'placed', schema: 1, payload: {},
};

const rows: [string, MessageFilter, boolean][] = [
  ['nothing', {}, true],
  ['a header', { headers: { region: 'eu' } }, true],
  ['another value of a header', { headers: { region: 'us' } }, false],
  ['a list with the value', { headers: { region: ['us', 'eu'] } }, true],
  ['a list without the value', { headers: { region: ['us', 'asia'] } }, false],
  ['every header', { headers: { region: 'eu', kind: ['x'] } }, true],
  ['one header of two', { headers: { region: 'eu', kind: 'y' } }, false],
  ['a header that is not there', { headers: { tenant: 'a' } }, false],
  ['what every object inherits', { headers: { toString: 'a', constructor: 'b' } }, false],
  ['the key', { key: 'k1' }, true],
  ['another key', { key: ['k2', 'k3'] }, false],
  ['the type', { type: ['placed', 'cancelled'] }, true],
  ['another type', { type: 'cancelled' }, false],
  ['the type but not the key', { type: 'placed', key: 'k2' }, false],
  ['the key but not the header', { key: 'k1', headers: { kind: 'y' } }, false],
];

describe('a filter', () => {
  it.each(rows)('for %s: %p', (_, filter, expected) => {
    expect(matcherOf(filter)(message)).toBe(expected);
  });

  it('for a key or a type lets nothing through that has none', () => {
    const plain = { ...message, key: null, type: null };
    expect([{ key: 'k1' }, { type: 'placed' }, {}].map((filter: MessageFilter) => matcherOf(filter)(plain))).toEqual([false, false, true]);
  });
});
