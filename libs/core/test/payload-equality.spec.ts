import { describe, expect, it } from '@jest/globals';
import { encodePayload } from '@millrace/core';
import { Exclude, Expose, Transform, Type } from 'class-transformer';
import { Allow, IsBoolean, IsDate, IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import fc from 'fast-check';
import { delivered } from './delivered.js';
import { thrownBy } from './thrown.js';

class Part {
  @IsOptional() @Type(() => Number)
  size?: number;
}
class Converted {
  @IsOptional() @IsBoolean() @Type(() => Boolean)
  flag?: boolean;

  @IsOptional() @Type(() => Number)
  count?: number;

  @IsOptional() @IsString() @Type(() => String)
  text?: string;

  @IsOptional() @IsDate() @Type(() => Date)
  at?: Date;

  @IsOptional() @ValidateNested({ each: true }) @Type(() => Part)
  parts?: Part[];

  @IsOptional() @Type(() => Number)
  numbers?: number[];
}

/** `Converted` with a decorator by which class-transformer is asked for the whole class. */
class Transformed extends Converted {
  @Expose({ name: 'other_name' }) @IsOptional()
  other?: string;
}

type Given = Record<string, unknown>;

describe.each([['a class with types', Converted], ['a class with types and transformations', Transformed]])('%s', (_, type) => {
  const refused = async (given: Given): Promise<string> => {
    const error = await thrownBy(() => encodePayload(type, given as Converted, 'publish()'));
    expect(error).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD', retryable: false });
    return error.message;
  };

  it.each<[string, Given, string]>([
    ['text for a boolean', { flag: 'false' }, 'flag is the text "false", but would be delivered as true'],
    ['a number for a boolean', { flag: 0 }, 'flag is 0, but would be delivered as false'],
    ['empty text for a number', { count: '' }, 'count is the text "", but would be delivered as 0'],
    ['text for a number', { count: '5' }, 'count is the text "5", but would be delivered as 5'],
    ['a boolean for a number', { count: true }, 'count is true, but would be delivered as 1'],
    ['what is no number at all', { count: 'five' }, 'count is '],
    ['a number for text', { text: 5 }, 'text is 5, but would be delivered as the text "5"'],
    ['an object for text', { text: { a: 1 } }, 'text is a Object, but would be delivered as'],
    ['a number for a date', { at: 0 }, 'at is 0, but would be delivered as a Date, 1970-01-01T00:00:00.000Z'],
    ['a value inside', { parts: [{ size: 1 }, { size: '2' }] }, 'parts[1].size is the text "2", but would be delivered as 2'],
    ['a value of a list', { numbers: [1, '2'] }, 'numbers[1] is the text "2", but would be delivered as 2'],
  ])('is not published with %s', async (_title, given, message) => {
    expect(await refused(given)).toContain(`publish(): ${message}`);
  });

  it.each(['2026-11-21 03:00', '2026-11-21T03:00:00', 'Nov 21, 2026', '1', '2026-02-30', '2026-11-21T03:00:00.123456Z'])(
    'is not published with text that is no moment for a date: %s',
    async (at) => expect(await refused({ at })).toContain(`at is the text "${at}", but would be delivered as a Date`),
  );

  it.each([
    ['2026-11-21T03:00:00.123Z', '2026-11-21T03:00:00.123Z'],
    ['2026-11-21T04:00:00+01:00', '2026-11-21T03:00:00.000Z'],
    ['2026-11-21T03:00Z', '2026-11-21T03:00:00.000Z'],
    ['2026-11-21', '2026-11-21T00:00:00.000Z'],
  ])('is published with the text of a moment for a date, as JSON has it: %s', async (at, moment) => {
    expect((await delivered(type, { at } as unknown as Converted)).at).toEqual(new Date(moment));
  });

  it('tells all that would change at once', async () => {
    const { problems } = await thrownBy(() => encodePayload(type, { flag: 'no', count: '1' } as unknown as Converted, 'publish()'));
    expect(problems).toEqual(['flag is the text "no", but would be delivered as true', 'count is the text "1", but would be delivered as 1']);
  });

  it('is delivered as it was given, or it is not published', async () => {
    const values = {
      flag: [true, false], count: [0, -0, 1.5], text: ['', '5'], at: [new Date(5), '2026-11-21'], parts: [[], [{ size: 1 }], [{}]], numbers: [[], [1, 2]],
    };
    const any = fc.constantFrom<unknown>(null, 'false', '0', [null], ['1'], [{ size: '1' }], {}, ...Object.values(values).flat());
    const mostlyGood = (good: unknown[]): fc.Arbitrary<unknown> =>
      fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: any });
    const parts = Object.fromEntries(Object.entries(values).map(([name, good]) => [name, mostlyGood(good)]));
    const given = fc.record(parts, { requiredKeys: [] });
    const seen = { delivered: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(given, async (payload) => {
        const arrived = await delivered(type, payload as Converted).catch(() => null);
        seen[arrived ? 'delivered' : 'refused'] += 1;
        if (!arrived) return;
        for (const [name, part] of Object.entries(payload)) expect(asJson(Reflect.get(arrived, name))).toEqual(asJson(part));
      }),
      { numRuns: 400 },
    );
    expect(seen.delivered).toBeGreaterThan(10);
    expect(seen.refused).toBeGreaterThan(10);
  });

  /** A day stands for its first moment. */
  function asJson(part: unknown): unknown {
    return JSON.parse(JSON.stringify(part).replaceAll('"2026-11-21"', '"2026-11-21T00:00:00.000Z"'));
  }
});

describe('@Transform', () => {
  const refused = async (type: new () => object, given: object): Promise<string> => (await thrownBy(() => encodePayload(type, given, 'publish()'))).message;

  it('that changes the value again on its second way is refused', async () => {
    class Next {
      @Transform(({ value }) => (value as number) + 1) @IsInt()
      value!: number;
    }
    expect(await refused(Next, { value: 1 })).toContain('value is 1, but would be delivered as 3');
  });

  it('that settles the value may do so: the class says how it is written', async () => {
    class Trimmed {
      @Transform(({ value }) => (value as string).trim()) @IsString()
      value!: string;
    }
    expect(await delivered(Trimmed, { value: ' x ' })).toEqual({ value: 'x' });
  });

  it('that makes another kind of value of it is refused, unless it is the text that the class itself writes', async () => {
    class Words {
      @Transform(({ value }) => (value as string).split(','), { toClassOnly: true })
      list!: string[];
    }
    expect(await refused(Words, { list: 'a,b' as never })).toContain('list is the text "a,b", but would be delivered as a Array');
    class Units {
      @Transform(({ value }) => String(value), { toPlainOnly: true })
      @Transform(({ value }) => BigInt(value as string), { toClassOnly: true })
      units!: bigint;
    }
    expect((await delivered(Units, { units: '12' as never })).units).toBe(12n);
    expect(await refused(Units, { units: '012' as never })).toContain('units is the text "012", but would be delivered as 12');
  });

  it('that makes what JSON has no word for of a number takes it in any form that JSON has for it', async () => {
    class Decimal {
      constructor(private readonly value: string) {}

      toJSON(): string {
        return this.value.replace(/\.?0+$/, '');
      }
    }
    class Money {
      @Transform(({ value }) => (value instanceof Decimal ? value.toJSON() : (value as unknown)), { toPlainOnly: true })
      @Transform(({ value }) => new Decimal(String(value)), { toClassOnly: true })
      amount!: Decimal;

      @IsOptional()
      @Transform(({ value }) => (value as bigint).toString(), { toPlainOnly: true })
      @Transform(({ value }) => BigInt(value as string), { toClassOnly: true })
      units?: bigint;
    }
    for (const amount of ['12.50', '12.5', 12.5]) expect(JSON.stringify(await delivered(Money, { amount } as never))).toBe('{"amount":"12.5"}');
    for (const units of ['5', 5, 5n]) expect((await delivered(Money, { amount: '1', units } as never)).units).toBe(5n);
    for (const units of ['', '0x5', ' 5']) expect(await refused(Money, { amount: '1', units })).toContain('units is ');
  });

  it('outside of its property has no say', async () => {
    class Mixed {
      @Transform(({ value }) => value as unknown) @Allow()
      one?: unknown;

      @IsOptional() @Type(() => Number)
      two?: number;
    }
    expect(await refused(Mixed, { two: '2' as never })).toContain('two is the text "2", but would be delivered as 2');
  });
});

describe('a collection', () => {
  class Shelf {
    @IsOptional() @Type(() => Part)
    byName?: Map<string, Part>;

    @IsOptional() @Type(() => String)
    labels?: Set<string>;

    @IsOptional() @Type(() => Number)
    sizes?: Set<number>;
  }

  it('is compared item by item', async () => {
    const error = await thrownBy(() => encodePayload(Shelf, { byName: new Map([['a', { size: '1' as never }]]) }, 'publish()'));
    expect(error.message).toContain('byName.a.size is the text "1", but would be delivered as 1');
    const sizes = new Set<number>(['1' as never, 1]);
    expect(await thrownBy(() => encodePayload(Shelf, { sizes }, 'publish()'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
  });

  it('may be given as JSON has it', async () => {
    const arrived = await delivered(Shelf, { byName: { a: { size: 1 } }, labels: ['x', 'y'] } as never);
    expect(arrived.byName).toEqual(new Map([['a', Object.assign(new Part(), { size: 1 })]]));
    expect(arrived.labels).toEqual(new Set(['x', 'y']));
  });

  it('is refused as a set when two of its items are equal', async () => {
    expect(await thrownBy(() => encodePayload(Shelf, { labels: ['x', 'x'] } as never, 'publish()'))).toMatchObject({
      code: 'UNSERIALIZABLE_PAYLOAD',
      message: expect.stringContaining('labels is a Array, but would be delivered as Set'),
    });
  });
});

describe('members of a class', () => {
  class Warmth {
    #celsius = 0;

    @Allow()
    note?: string;

    get celsius(): number {
      return this.#celsius;
    }

    set celsius(value: number) {
      this.#celsius = value;
    }

    get label(): string {
      return `${this.#celsius} degrees`;
    }

    warmer(): number {
      return this.#celsius + 1;
    }
  }

  it('that keep their value where JSON does not look are refused', async () => {
    const warmth = Object.assign(new Warmth(), { celsius: 21 });
    const { message } = await thrownBy(() => encodePayload(Warmth, warmth, 'publish()'));
    expect(message).toContain('celsius is 21, but would be delivered as 0');
    expect((await delivered(Warmth, { celsius: 21 } as Warmth)).warmer()).toBe(22);
  });

  it('that read private fields alone are refused, too', async () => {
    class Money {
      readonly #cents: number;

      constructor(cents = 0) {
        this.#cents = cents;
      }

      get cents(): number {
        return this.#cents;
      }
    }
    class Priced {
      @Type(() => Money)
      price!: Money;
    }
    const { message } = await thrownBy(() => encodePayload(Priced, { price: new Money(5) }, 'publish()'));
    expect(message).toContain('price.cents is 5, but would be delivered as 0');
  });

  it('that compute their value from the data, and from the time, are computed anew', async () => {
    let reads = 0;
    class Timed {
      @IsInt()
      since!: number;

      get age(): number {
        return (reads += 1) + this.since;
      }
    }
    expect((await delivered(Timed, Object.assign(new Timed(), { since: 5 }))).age).toBe(5 + reads);
  });

  it('are written where they are exposed', async () => {
    class Exposed extends Warmth {
      @Expose()
      override get celsius(): number {
        return super.celsius;
      }

      override set celsius(value: number) {
        super.celsius = value;
      }
    }
    expect((await delivered(Exposed, Object.assign(new Exposed(), { celsius: 21 }))).celsius).toBe(21);
  });

  it('win over data of their name, which is refused for a method', async () => {
    const { message } = await thrownBy(() => encodePayload(Warmth, { warmer: 'much' } as never, 'publish()'));
    expect(message).toContain('warmer is the text "much", but would be delivered as a method of the class');
  });

  it('may leave out what the class excludes', async () => {
    class Guarded extends Warmth {
      @Exclude() @IsOptional()
      secret?: string;
    }
    expect(await encodePayload(Guarded, { celsius: 1, secret: 'x' } as Guarded, 'publish()')).toBe('{"celsius":1}');
  });
});

describe('a value that class-transformer makes again', () => {
  it('is equal, not only of the same kind', async () => {
    class Blob {
      @Transform(({ value }) => (value as Uint8Array)[0], { toPlainOnly: true })
      @Transform(({ value }) => Uint8Array.of(value as number), { toClassOnly: true })
      bytes!: Uint8Array;
    }
    expect((await delivered(Blob, { bytes: Uint8Array.of(7) })).bytes).toEqual(Uint8Array.of(7));
    expect(await thrownBy(() => encodePayload(Blob, { bytes: Uint8Array.of(7, 8) }, 'publish()'))).toMatchObject({
      code: 'UNSERIALIZABLE_PAYLOAD',
      message: expect.stringContaining('bytes is a Uint8Array, but would be delivered as another one'),
    });
  });
});

describe('a payload that is compared', () => {
  it('is the one that was given, whatever the caller does with it meanwhile', async () => {
    const given = { count: 1, constructor: 'x' };
    const publishing = encodePayload(Converted, given as never, 'publish()');
    Object.assign(given, { count: 2 });
    expect(await publishing).toBe('{"count":1,"constructor":"x"}');
  });
});

describe('a Date', () => {
  it('for which the class has a rule and no type is told of before the rule', async () => {
    class Visit {
      @IsDate()
      at!: Date;

      @IsString()
      id!: string;
    }
    const visit = { at: new Date(0), id: 'v1' };
    const error = await thrownBy(() => encodePayload(Visit, visit, 'publish(Visit)'));
    expect(error).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD', message: expect.stringContaining('@Type(() => Date)') });
    expect(error.message).toContain('publish(Visit): at is a Date, but would be delivered as String.');
    expect(error.message).not.toContain('must be a Date instance');
    const { problems } = await thrownBy(() => encodePayload(Visit, { ...visit, id: 7 as never }, 'publish(Visit)'));
    expect(problems).toEqual(['at is a Date, but would be delivered as String', 'id must be a string']);
  });
});
