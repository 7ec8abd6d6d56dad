import { describe, expect, it } from '@jest/globals';
import { decodePayload, encodePayload } from '@millrace/core';
import { Exclude, Expose, Transform, Type } from 'class-transformer';
import { IsArray, IsInstance, IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { delivered } from './delivered.js';
import { thrownBy } from './thrown.js';

class Anything {
  [name: string]: unknown;
}

describe('@Expose with another name', () => {
  class Item {
    @Expose({ name: 'item_code' }) @IsString()
    code!: string;
  }
  class Order {
    @Expose({ name: 'order_id' }) @IsString()
    orderId!: string;

    @IsArray() @ValidateNested({ each: true }) @Type(() => Item)
    items!: Item[];
  }
  const order: Order = { orderId: 'o1', items: [{ code: 'mug' }] };
  const instance = Object.assign(new Order(), { orderId: 'o1', items: [Object.assign(new Item(), { code: 'mug' })] });

  it.each([['an instance', instance], ['a plain object in its place', order]])('names it so on the way, for %s', async (_, payload) => {
    expect(await encodePayload(Order, payload, 'publish()')).toBe('{"order_id":"o1","items":[{"item_code":"mug"}]}');
    const arrived = await delivered(Order, payload);
    expect(arrived).toEqual(instance);
    expect(arrived.items[0]).toBeInstanceOf(Item);
  });

  it('is validated as it will be seen', async () => {
    const { problems } = await thrownBy(() => encodePayload(Order, { orderId: 7, items: [{ code: 8 }] } as never, 'publish()'));
    expect(problems).toEqual(['orderId must be a string', 'items[0].code must be a string']);
  });

  it('cannot carry names that every object has', async () => {
    const payload = { ...order, meta: { constructor: 'Ferrari' } } as Order;
    expect(await thrownBy(() => encodePayload(Order, payload, 'publish()'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    const stored = JSON.parse('{"order_id":"o1","items":[],"meta":{"constructor":"Ferrari","__proto__":{"admin":true}}}') as unknown;
    const arrived = await decodePayload(Order, stored, 'message');
    expect(arrived).toMatchObject({ orderId: 'o1', meta: { constructor: 'Ferrari' } });
    expect((arrived as { meta?: { admin?: boolean } }).meta?.admin).toBeUndefined();
  });
});

describe('@Exclude', () => {
  class User {
    id = 'u1';

    @Exclude()
    password = 'secret';
  }
  class Registered {
    @IsString()
    id!: string;

    @Exclude()
    draft?: Map<string, unknown>;

    @Exclude() @IsOptional()
    large?: string;
  }

  it('leaves the property out, whatever it holds', async () => {
    const payload = Object.assign(new Registered(), { id: 'r1', draft: new Map([['a', new Date()]]), large: 'x'.repeat(2_000_000) });
    expect(await encodePayload(Registered, payload, 'publish()')).toBe('{"id":"r1"}');
  });

  it('holds for an object inside whose property says nothing', async () => {
    expect(await encodePayload(Anything, { user: new User(), more: [{ user: new User() }] }, 'publish()')).toBe(
      '{"user":{"id":"u1"},"more":[{"user":{"id":"u1"}}]}',
    );
  });

  it('holds for a subclass of the topic', async () => {
    class Base {
      @IsString()
      id!: string;
    }
    class Sub extends Base {
      @Exclude()
      secret = 'x';
    }
    expect(await encodePayload(Base, Object.assign(new Sub(), { id: 'b1' }), 'publish()')).toBe('{"id":"b1"}');
  });

  it('on a whole class leaves the exposed properties', async () => {
    @Exclude()
    class Guarded {
      @Expose() @IsString()
      id!: string;

      @IsOptional()
      hidden?: string;
    }
    expect(await encodePayload(Guarded, { id: 'g1', hidden: 'x' }, 'publish()')).toBe('{"id":"g1"}');
    expect(await decodePayload(Guarded, { id: 'g1', hidden: 'x' }, 'message')).toEqual({ id: 'g1' });
  });
});

describe('@Expose on a getter', () => {
  class Cart {
    @IsArray() @IsInt({ each: true })
    prices!: number[];

    @Expose()
    get total(): number {
      return this.prices.reduce((sum, price) => sum + price, 0);
    }
  }

  it('stores what it gives, and computes it anew where it is read', async () => {
    const cart = Object.assign(new Cart(), { prices: [1, 2] });
    expect(JSON.parse(await encodePayload(Cart, cart, 'publish()'))).toEqual({ prices: [1, 2], total: 3 });
    expect((await delivered(Cart, cart)).total).toBe(3);
    expect((await delivered(Cart, { prices: [4], total: 99 })).total).toBe(4);
  });
});

describe('@Transform', () => {
  class Money {
    constructor(readonly cents: bigint) {}

    toJSON(): string {
      return String(this.cents);
    }
  }
  class Paid {
    @Transform(({ value }) => String(value), { toPlainOnly: true })
    @Transform(({ value }) => BigInt(value as string), { toClassOnly: true })
    units!: bigint;

    @Transform(({ value }) => (value as Money).toJSON(), { toPlainOnly: true })
    @Transform(({ value }) => new Money(BigInt(value as string)), { toClassOnly: true })
    @IsInstance(Money)
    amount!: Money;

    @Transform(({ value }) => [...(value as Set<string>)], { toPlainOnly: true })
    @Transform(({ value }) => new Set(value as string[]), { toClassOnly: true })
    tags!: Set<string>;
  }
  const paid: Paid = { units: 12n, amount: new Money(250n), tags: new Set(['a', 'b']) };

  it('in both directions brings back what JSON does not have', async () => {
    expect(await encodePayload(Paid, paid, 'publish()')).toBe('{"units":"12","amount":"250","tags":["a","b"]}');
    const arrived = await delivered(Paid, paid);
    expect({ ...arrived }).toEqual(paid);
    expect(arrived.amount).toBeInstanceOf(Money);
  });

  it('in one direction only is refused: the subscriber would get something else', async () => {
    class HalfPaid {
      @Transform(({ value }) => String(value), { toPlainOnly: true })
      units!: bigint;
    }
    expect(await thrownBy(() => encodePayload(HalfPaid, { units: 12n }, 'publish()'))).toMatchObject({
      code: 'UNSERIALIZABLE_PAYLOAD',
      message: expect.stringContaining('units is a BigInt, but would be delivered as String'),
    });
  });

  it('that gives what JSON does not have is refused', async () => {
    class Odd {
      @Transform(() => Symbol('s'), { toPlainOnly: true })
      value!: string;
    }
    expect(await thrownBy(() => encodePayload(Odd, { value: 'x' }, 'publish()'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    class Large {
      @Transform(({ value }) => (value as string).repeat(2_000_000), { toPlainOnly: true })
      value!: string;
    }
    expect(await thrownBy(() => encodePayload(Large, { value: 'x' }, 'publish()'))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    class Deep {
      @Transform(() => JSON.parse('['.repeat(5_000) + ']'.repeat(5_000)) as unknown, { toPlainOnly: true })
      value!: string;
    }
    expect(await thrownBy(() => encodePayload(Deep, { value: 'x' }, 'publish()'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
  });

  it('that throws is told of, with what it threw', async () => {
    class Broken {
      @Transform(() => { throw new Error('no way out'); }, { toPlainOnly: true })
      value!: string;
    }
    expect(await thrownBy(() => encodePayload(Broken, { value: 'x' }, 'publish()'))).toMatchObject({
      code: 'UNSERIALIZABLE_PAYLOAD',
      message: expect.stringContaining('no way out'),
    });
  });

  it('does not have functions called that are no part of the class', async () => {
    let calls = 0;
    const payload = { ...paid, save: () => (calls += 1) };
    expect(await thrownBy(() => encodePayload(Paid, payload, 'publish()'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    expect(calls).toBe(0);
  });
});

describe('a @Type with collections', () => {
  class Stock {
    @IsInt()
    count!: number;
  }
  class Shelf {
    @Type(() => Stock) @ValidateNested()
    byItem!: Map<string, Stock>;

    @Type(() => String)
    labels!: Set<string>;
  }

  it('brings Maps and Sets back, and validates inside', async () => {
    const shelf = { byItem: new Map([['mug', { count: 2 }]]), labels: new Set(['a']) };
    expect(await encodePayload(Shelf, shelf, 'publish()')).toBe('{"byItem":{"mug":{"count":2}},"labels":["a"]}');
    const arrived = await delivered(Shelf, shelf);
    expect(arrived.byItem.get('mug')).toBeInstanceOf(Stock);
    expect(arrived.labels).toEqual(new Set(['a']));
    const { problems } = await thrownBy(() => decodePayload(Shelf, { byItem: { mug: { count: 'x' } }, labels: [] }, 'message'));
    expect(problems).toEqual(['byItem.mug.count must be an integer number']);
  });

  it('is refused where the keys would be delivered as text', async () => {
    const shelf = { byItem: new Map([[7, { count: 2 }]]), labels: new Set<string>() } as unknown as Shelf;
    expect(await thrownBy(() => encodePayload(Shelf, shelf, 'publish()'))).toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
  });
});

describe('a @Type with subtypes', () => {
  abstract class Shape {
    kind!: string;
  }
  class Circle extends Shape {
    @IsInt()
    radius!: number;
  }
  class Square extends Shape {
    @IsInt()
    side!: number;
  }
  const discriminator = { property: 'kind', subTypes: [{ value: Circle, name: 'circle' }, { value: Square, name: 'square' }] };
  class Drawing {
    @ValidateNested({ each: true }) @Type(() => Shape, { discriminator, keepDiscriminatorProperty: true })
    shapes!: Shape[];
  }
  class Sketch {
    @ValidateNested() @Type(() => Shape, { discriminator })
    shape!: Shape;
  }
  const circle = Object.assign(new Circle(), { radius: 2 });

  it.each([
    ['instances', { shapes: [circle, Object.assign(new Square(), { side: 3 })] }],
    ['plain objects', { shapes: [{ kind: 'circle', radius: 2 }, { kind: 'square', side: 3 }] }],
  ])('tells them apart on the way in: %s', async (_, drawing) => {
    const [first, second] = (await delivered(Drawing, drawing as Drawing)).shapes;
    expect([first, second]).toEqual([{ kind: 'circle', radius: 2 }, { kind: 'square', side: 3 }]);
    expect(first).toBeInstanceOf(Circle);
    expect(second).toBeInstanceOf(Square);
  });

  it('stores by what they are told apart, even where the instance is not to have it', async () => {
    expect(JSON.parse(await encodePayload(Sketch, { shape: circle }, 'publish()'))).toEqual({ shape: { kind: 'circle', radius: 2 } });
    const stored = { shape: { kind: 'square', side: 3 } };
    expect((await decodePayload(Sketch, stored, 'message')).shape).toBeInstanceOf(Square);
    expect(stored).toEqual({ shape: { kind: 'square', side: 3 } });
    expect(await encodePayload(Sketch, stored as Sketch, 'publish()')).toBe('{"shape":{"kind":"square","side":3}}');
  });

  it('may be told apart by a function of the data', async () => {
    class Dynamic {
      kind!: string;

      @ValidateNested() @Type((given) => (given?.object['kind'] === 'circle' ? Circle : Square))
      shape!: Circle | Square;
    }
    const stored = { kind: 'circle', shape: { radius: 2 } };
    expect((await delivered(Dynamic, stored as Dynamic)).shape).toBeInstanceOf(Circle);
    expect((await decodePayload(Dynamic, { kind: 'x', shape: { side: 2 } }, 'message')).shape).toBeInstanceOf(Square);
  });

  it('validates by the subtype', async () => {
    const stored = { shapes: [{ kind: 'circle', radius: 'x' }] };
    expect((await thrownBy(() => decodePayload(Drawing, stored, 'message'))).problems).toEqual(['shapes[0].radius must be an integer number']);
  });
});
