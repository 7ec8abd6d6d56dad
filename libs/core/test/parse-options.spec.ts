import { describe, expect, it } from '@jest/globals';
import { nearest, parseOptions, propertiesOf, unknownName } from '@millrace/core';
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

  it('shows an unknown name bounded and escaped', () => {
    expect(unknownName('option', 'a\u001b[31m\u202e', ['b'])).toBe("option 'a\\u001b[31m\\u202e' is not known; known are b.");
    expect(unknownName('option', 'x'.repeat(1_000_000), ['b']).length).toBeLessThan(200);
  });
});
