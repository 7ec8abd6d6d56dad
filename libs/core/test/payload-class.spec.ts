import { describe, expect, it } from '@jest/globals';
import { decodePayload, encodePayload } from '@millrace/core';
import { Transform, Type } from 'class-transformer';
import { IsArray, IsInt, IsOptional, IsString, Min, registerDecorator, ValidateNested, type ValidationOptions } from 'class-validator';
import { delivered } from './delivered.js';
import { thrownBy } from './thrown.js';

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

describe('a class with methods and getters', () => {
  class Basket {
    @IsArray() @IsInt({ each: true })
    prices!: number[];

    get total(): number {
      return this.prices.reduce((sum, price) => sum + price, 0);
    }

    count(): number {
      return this.prices.length;
    }
  }
  class GiftBasket extends Basket {
    ribbon = 'red';
  }

  it('has them after the delivery, and only its data is stored', async () => {
    const basket = Object.assign(new Basket(), { prices: [1, 2] });
    expect(await encodePayload(Basket, basket, 'publish()')).toBe('{"prices":[1,2]}');
    const arrived = await delivered(Basket, basket);
    expect([arrived.total, arrived.count()]).toEqual([3, 2]);
  });

  it('wins over data of the same name', async () => {
    const arrived = await decodePayload(GiftBasket, { prices: [1], total: 99, count: 'many', ribbon: 'blue' }, 'message');
    expect([arrived.total, arrived.count(), arrived.ribbon]).toEqual([1, 1, 'blue']);
  });

  it('has its defaults where the data has nothing', async () => {
    expect(await decodePayload(GiftBasket, { prices: [] }, 'message')).toMatchObject({ ribbon: 'red' });
  });

  it('that cannot be made without arguments is a fault of the payload, not of the process', async () => {
    class Strict {
      readonly id: string;

      constructor(raw: { id: string }) {
        this.id = raw.id;
      }
    }
    expect(await thrownBy(() => decodePayload(Strict, { id: 'x' }, 'message'))).toMatchObject({
      code: 'INVALID_PAYLOAD',
      message: expect.stringContaining('cannot be made an instance of Strict'),
      cause: expect.any(TypeError),
    });
  });
});

describe('validation', () => {
  it('names every problem with its path', async () => {
    const { code, problems, message } = await thrownBy(() =>
      encodePayload(Order, { id: 1, note: 2, lines: [{ item: 'a', count: 1 }, { item: 'b', count: 0 }, 'c'] } as unknown as Order, 'publish(Order)'),
    );
    expect(code).toBe('INVALID_PAYLOAD');
    expect(problems).toEqual([
      'id must be a string',
      'note must be a string',
      'lines[1].count must not be less than 1',
      'lines[2] must be either object or array',
    ]);
    expect(message).toMatch(/^publish\(Order\): the payload is no valid Order\.\n {2}- id must be a string\n/);
  });

  it('is the same on the way in', async () => {
    const error = await thrownBy(() => decodePayload(Order, { id: 1 }, "message of topic 'orders'"));
    expect(error).toMatchObject({ code: 'INVALID_PAYLOAD', name: 'UnreadablePayloadError' });
    expect(error.problems).toEqual(['id must be a string', expect.stringContaining('lines must be an array')]);
  });

  it('lists a bounded number of problems', async () => {
    const lines = Array.from({ length: 10_000 }, () => ({ item: 1, count: 'x' }));
    expect((await thrownBy(() => decodePayload(Order, { id: 'x', lines }, 'message'))).problems).toHaveLength(50);
  });

  it('names a property whose name stands elsewhere in the message, too', async () => {
    class Inner {
      @IsInt({ each: true })
      a!: number[];

      @IsString({ message: 'say what $property is' })
      what!: string;
    }
    class Outer {
      @ValidateNested() @Type(() => Inner)
      inner!: Inner;
    }
    const { problems } = await thrownBy(() => decodePayload(Outer, { inner: { a: ['x'], what: 1 } }, 'message'));
    expect(problems).toEqual(['each value in inner.a must be an integer number', 'inner.what: say what what is']);
  });

  it('tells when an object inside is of a class that nobody has named, so that nothing would look at it', async () => {
    class Careless {
      @ValidateNested()
      line!: Line;
    }
    const { problems } = await thrownBy(() => encodePayload(Careless, { line: { item: 'mug', count: 1 } }, 'publish()'));
    expect(problems).toEqual(['line is of a class without rules: put @Type(() => ItsClass) on it, and rules on ItsClass']);
  });

  it('takes everything for a class without rules', async () => {
    class Loose {
      a?: unknown;
    }
    expect(await delivered(Loose, { a: [1] })).toEqual({ a: [1] });
  });

  it('waits for rules that take their time', async () => {
    const asked: unknown[] = [];
    class Slow {
      @IsLater((value) => (asked.push(value), Promise.resolve(value === 'good')))
      value!: string;
    }
    await encodePayload(Slow, { value: 'good' }, 'publish()');
    const { problems } = await thrownBy(() => decodePayload(Slow, { value: 'bad' }, 'message'));
    expect(problems).toEqual(['value is not what it should be']);
    expect(asked).toContain('bad');
  });

  it('passes on what a rule throws: that is no fault of the payload', async () => {
    class Broken {
      @IsLater(() => Promise.reject(new Error('the database is away')))
      value!: string;
    }
    await expect(decodePayload(Broken, { value: 'x' }, 'message')).rejects.toThrow('the database is away');
    class Worse {
      @IsLater(() => { throw new Error('at once'); })
      value!: string;
    }
    await expect(encodePayload(Worse, { value: 'x' }, 'publish()')).rejects.toThrow('at once');
  });
});

function IsLater(validate: (value: unknown) => Promise<boolean>, options?: ValidationOptions): PropertyDecorator {
  const defaultMessage = (): string => 'value is not what it should be';
  return (target, property) =>
    registerDecorator({ target: target.constructor, propertyName: String(property), options, name: 'isLater', validator: { validate, defaultMessage } });
}

describe('a transformation that throws', () => {
  class Cut {
    @Transform(({ value }) => (value as string).split(','), { toClassOnly: true })
    list!: string[];
  }

  it('makes the payload invalid', async () => {
    expect(await thrownBy(() => decodePayload(Cut, { list: 5 }, 'message'))).toMatchObject({
      code: 'INVALID_PAYLOAD',
      message: expect.stringContaining('value.split is not a function'),
    });
  });
});
