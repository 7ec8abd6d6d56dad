import { describe, expect, it } from '@jest/globals';
import { assertName, escapeUnseen, isName, Job, MillraceError, quote, Topic } from '@millrace/core';

const GOOD = ['a', 'A', '7', 'shop.orders.placed', 'a_b-c.d', 'x'.repeat(128)];

const BAD: readonly (readonly [string, unknown])[] = [
  ['an array (1)', ['v', 'MAXLEN', '0', '*']],
  ['an array of one name', ['orders']],
  ['an object (2)', { name: 'orders' }],
  ['an object that says it is a name', { toString: () => 'orders' }],
  ['a number (2)', 7],
  ['null (2)', null],
  ['true (2)', true],
  ['nothing (2)', undefined],
  ['empty (3, 34)', ''],
  ['spaces (3)', '   '],
  ['a space inside', 'or ders'],
  ['129 characters (3)', 'x'.repeat(129)],
  ['a megabyte (3)', 'x'.repeat(1_048_576)],
  ...['{', '}', ':', '*', '?', '[', '\\', '|', '%', '#', '@', '"', "'", '$', '~'].map((char) => [`${char} (4)`, `or${char}ders`] as const),
  ...['\r\n', '\0', '\t', '\u001b', '\n'].map((char) => [`${JSON.stringify(char)} (5)`, `or${char}ders`] as const),
  ['a line break at its end', 'orders\n'],
  ['../../etc (7)', '../../etc'],
  ['%2e%2e (7)', '%2e%2e'],
  ['a/b (7)', 'a/b'],
  ['a dot first', '.orders'],
  ['__proto__', '__proto__'],
  ['composed ü (8)', 'b\u00fccher'],
  ['decomposed ü (8)', 'bu\u0308cher'],
  ['a turn of direction (8)', 'orders\u202egnp'],
  ['zero width (8)', 'or\u200bders'],
  ['an emoji (8)', 'orders\u{1f600}'],
  ['cyrillic a', 'p\u0430id'],
];

describe('names', () => {
  it.each(GOOD)('takes %s', (name) => {
    expect(isName(name)).toBe(true);
    expect(() => assertName('topic', name)).not.toThrow();
  });

  it.each(BAD)('refuses %s', (_, name) => {
    expect(isName(name)).toBe(false);
    expect(() => assertName('group', name)).toThrow(MillraceError);
    expect(() => Topic(name as string)).toThrow(expect.objectContaining({ code: 'INVALID_NAME', retryable: false }));
    expect(() => Job(name as string, { queue: 'emails' })).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }));
  });

  it('says in one bounded line of visible text what is not allowed', () => {
    for (const [, name] of BAD) {
      let message = '';
      try {
        assertName('topic', name);
      } catch (error) {
        ({ message } = error as Error);
      }
      expect(message).toContain('is not allowed as the name of a topic: use 1 to 128 of the characters');
      expect(message.length).toBeLessThan(350);
      expect(message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });
});

describe('quote', () => {
  it('shows text in quotes, with what cannot be seen as escapes', () => {
    expect(quote('orders')).toBe('"orders"');
    expect(quote('a\r\nb\u0000\u001b[31m\u007f\u009b')).toBe('"a\\r\\nb\\u0000\\u001b[31m\\u007f\\u009b"');
    expect(quote('\u202eevil\u200b\ufeff\u2028')).toBe('"\\u202eevil\\u200b\\ufeff\\u2028"');
    expect(quote('b\u00fccher \u{1f600}')).toBe('"b\u00fccher \u{1f600}"');
  });

  it('is bounded, however long the text', () => {
    expect(quote('x'.repeat(5_000_000))).toHaveLength(160);
    expect(quote('\u0000'.repeat(5_000))).toHaveLength(160);
  });

  it('tells only the type of what is no text', () => {
    expect([null, undefined, 1, {}, Symbol('s'), () => 1].map(quote)).toEqual(
      ['null', 'undefined', 'number', 'object', 'symbol', 'function'].map((type) => `a value of type ${type}`),
    );
  });

  it('escapes characters beyond the first plane as the two that they are', () => {
    expect(escapeUnseen('a\u{e0001}b')).toBe('a\\udb40\\udc01b');
  });
});
