import { describe, expect, it } from '@jest/globals';
import { IsWholeNumber, nearest, parseOptions, propertiesOf, unknownName } from '@millrace/core';
import { IsArray, IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import fc from 'fast-check';
import { thrownBy } from './thrown.js';

class Part {
  @IsInt()
  a!: number;
}

class Options {
  @IsString()
  name!: string;

  @IsOptional() @IsInt()
  size?: number = 7;

  @IsOptional() @IsArray() @ValidateNested({ each: true }) @Type(() => Part)
  parts?: Part[];
}

class Counted {
  @IsWholeNumber({ min: 1, max: 100 })
  count!: number;

  @IsOptional() @IsWholeNumber({ min: 5 })
  many?: number;
}

describe('parseOptions', () => {
  it('fills in defaults and counts undefined as left out', () => {
    expect(parseOptions(Options, { name: 'x', size: undefined, typo: undefined }, 'here')).toEqual({ name: 'x', size: 7 });
  });

  it('leaves what it was given as it is', () => {
    const raw = Object.freeze({ name: 'x' });
    expect(parseOptions(Options, raw, 'here')).not.toBe(raw);
  });

  it('refuses null, which no rule after @IsOptional looks at', async () => {
    const { problems } = await thrownBy(() => parseOptions(Options, { name: 'x', size: null }, 'here'));
    expect(problems).toEqual(['size must not be null: leave it out instead']);
  });

  it.each<[unknown, string]>([
    [1.5, 'must be a whole number from 1 to 100'],
    ['10', 'must be a whole number from 1 to 100, not the text "10"'],
    [Number.NaN, 'must be a whole number from 1 to 100'],
    [Infinity, 'must be a whole number from 1 to 100'],
    [10n, 'must be a whole number from 1 to 100'],
    [0, 'must not be less than 1'],
    [1e9, 'must not be greater than 100'],
  ])('says of %p in the place of a number one thing, the one that helps', async (count, said) => {
    const { problems } = await thrownBy(() => parseOptions(Counted, { count }, 'here'));
    expect(problems).toEqual([`count ${said}`]);
  });

  it('takes every whole number inside the bounds, and without a most all that a number can count', async () => {
    for (const count of [1, 100, 7.0]) expect(parseOptions(Counted, { count }, 'here').count).toBe(count);
    expect(parseOptions(Counted, { count: 1, many: Number.MAX_SAFE_INTEGER }, 'here').many).toBe(Number.MAX_SAFE_INTEGER);
    const { problems } = await thrownBy(() => parseOptions(Counted, { count: 1, many: 'x' }, 'here'));
    expect(problems).toEqual(['many must be a whole number, at least 5, not the text "x"']);
  });

  it('names the path of what is wrong inside', async () => {
    const parts = [Object.assign(new Part(), { a: 1 }), Object.assign(new Part(), { a: 'x' })];
    const { problems } = await thrownBy(() => parseOptions(Options, { name: 'x', parts }, 'here'));
    expect(problems).toEqual(['parts[1].a must be an integer number']);
  });

  it('lists the properties that have rules, those of ancestors too', () => {
    class More extends Options {
      @IsString()
      more!: string;
    }
    expect(propertiesOf(More).sort()).toEqual(['more', 'name', 'parts', 'size']);
  });
});

describe('nearest', () => {
  const known = ['partitions', 'key', 'idempotencyWindow', 'retention', 'delay', 'retry'];

  it.each([
    ['partitons', 'partitions'],
    ['Partitions', 'partitions'],
    ['partition', 'partitions'],
    ['idempotencywindow', 'idempotencyWindow'],
    ['retnetion', 'retention'],
    ['keys', 'key'],
    ['dealy', 'delay'],
    ['retyr', 'retry'],
  ])('finds what %s means', (name, meant) => {
    expect(nearest(name, known)).toBe(meant);
  });

  it.each(['', 'x', 'b', 'concurrency', 'zzz', '\u0000'])('guesses nothing for %p', (name) => {
    expect(nearest(name, [...known, 'a'])).toBeNull();
  });

  it('gives a known name or null, whatever it is asked', () => {
    fc.assert(fc.property(fc.string(), (name) => [...known, null].includes(nearest(name, known))));
    expect(known.every((name) => nearest(name, known) === name)).toBe(true);
    expect(nearest('x', [])).toBeNull();
  });

  it('does not labour over a name of a million characters', () => {
    expect(nearest('partition'.repeat(120_000), known)).toBeNull();
  });

  it('tells the first of very many unknown names, and how many more there are', async () => {
    const given = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`name-${index}`, 1]));
    const { problems } = await thrownBy(() => parseOptions(Options, { name: 'x', ...given }, 'here'));
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)).toBe('980 more names are not known');
  });

  it('shows an unknown name bounded and escaped', () => {
    expect(unknownName('option', 'a\u001b[31m\u202e', ['b'])).toBe("option 'a\\u001b[31m\\u202e' is not known; known are b.");
    expect(unknownName('option', 'x'.repeat(1_000_000), ['b']).length).toBeLessThan(200);
    expect(unknownName('queue', 'mails', [])).toBe("queue 'mails' is not known; there is none.");
  });
});
