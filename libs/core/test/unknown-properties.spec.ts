import { describe, expect, it } from '@jest/globals';
import {
  decodePayload, Job, jobOf, MessageType, messagePlace, type OutgoingMessage, type PayloadClass, Publisher, Topic, topicOf,
  type UnknownProperties,
} from '@millrace/core';
import { Exclude, Expose, Transform, Type } from 'class-transformer';
import { Allow, IsArray, IsInt, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';
import { thrownBy } from './thrown.js';

class Line {
  @IsString()
  item!: string;

  @IsOptional() @IsString()
  colour?: string;
}

@Topic('orders')
class Order {
  @IsString()
  id!: string;

  @IsOptional() @IsArray() @ValidateNested({ each: true }) @Type(() => Line)
  lines?: Line[];

  @IsOptional() @ValidateNested() @Type(() => Line)
  gift?: Line;

  @IsOptional() @IsObject()
  meta?: Record<string, unknown>;

  @Allow()
  anything?: unknown;
}

/** The texts that are published of a payload. */
async function published<T extends object>(topic: PayloadClass<T>, payload: object, own?: UnknownProperties): Promise<string> {
  const sent: OutgoingMessage[] = [];
  const stored = { id: '', partition: 0, offset: 0, duplicate: false };
  const publish = (_: unknown, message: OutgoingMessage): Promise<typeof stored> => (sent.push(message), Promise.resolve(stored));
  await new Publisher({ publish }, own).publish(topic, payload as T);
  return sent[0]!.payloadJson;
}

function received<T extends object>(topic: PayloadClass<T>, plain: object, ofProcess?: UnknownProperties): Promise<T> {
  return decodePayload(topic, plain, messagePlace({ topic: topicOf(topic), unknownProperties: ofProcess }));
}

const line = { item: 'mug', colour: 'red' };

describe('a publish', () => {
  it('with properties that the class does not declare is refused, and names all of them', async () => {
    const order = { id: 'o1', note: 'x', lines: [line, { ...line, color: 'blue' }], gift: { item: 'pen', price: { cents: 5 } } };
    const error = await thrownBy(() => published(Order, order));
    expect(error).toMatchObject({ code: 'INVALID_PAYLOAD', retryable: false });
    expect(error.problems).toEqual([
      'note is not declared by Order',
      "lines[1].color is not declared by Line: did you mean 'colour'?",
      'gift.price is not declared by Line',
    ]);
    expect(error.message).toMatch(/^publish\(Order\): the payload is no valid Order\. .*@Allow\(\).*unknownProperties: 'strip' or 'keep'/);
  });

  it('tells what else is wrong in the same error', async () => {
    const { problems } = await thrownBy(() => published(Order, { id: 7, note: 'x' }));
    expect(problems).toEqual(['note is not declared by Order', 'id must be a string']);
  });

  it('is refused for its size alone when the payload is too large, whether it is declared or not', async () => {
    expect(await thrownBy(() => published(Order, { id: 'o1', note: 'x'.repeat(2_000_000) }))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it('names a bounded number of them', async () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`p${n}`, n]));
    const { problems } = await thrownBy(() => published(Order, { id: 'o1', ...many }));
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toBe('20 more are not declared');
  });

  it('takes every declared property, and anything inside a property without a type', async () => {
    const order = { id: 'o1', lines: [line], gift: line, meta: { free: { to: ['say', { what: 1 }] } }, anything: [{ a: 1 }], left: undefined };
    expect(JSON.parse(await published(Order, order))).toEqual({ ...order, left: undefined });
  });

  it('is refused for names that every object has, too', async () => {
    const order = JSON.parse('{"id":"o1","__proto__":{"admin":true},"constructor":"x"}') as object;
    expect((await thrownBy(() => published(Order, order))).problems).toEqual(['__proto__ is not declared by Order', 'constructor is not declared by Order']);
  });

  it('looks at what an object says that it is in JSON', async () => {
    const document = { toJSON: () => ({ id: 'o1', _version: 3 }) };
    expect((await thrownBy(() => published(Order, document))).problems).toEqual(['_version is not declared by Order']);
    expect(await published(Order, document, 'strip')).toBe('{"id":"o1"}');
  });

  it('takes the properties that a type adds when it is made as that type, and not when it is made as the topic', async () => {
    @Topic('prices')
    class Price {
      @IsString()
      item!: string;
    }
    @MessageType('changed')
    class Changed extends Price {
      @IsInt()
      cents!: number;
    }
    expect(await published(Changed, { item: 'mug', cents: 5 })).toBe('{"item":"mug","cents":5}');
    expect((await thrownBy(() => published(Price, Object.assign(new Changed(), { item: 'mug', cents: 5 })))).problems).toEqual(['cents is not declared by Price']);
  });
});

describe('a property is declared', () => {
  it('by any decorator, an initialiser or an accessor, inherited ones too', async () => {
    class Base {
      @IsOptional()
      inherited?: string;
    }
    @Topic('declared')
    class Declared extends Base {
      @Allow() allowed?: unknown;
      @Type(() => Number) typed?: number;
      @Expose() exposed?: string;
      @Expose({ name: 'other_name' }) renamed?: string;
      @Transform(({ value }) => value as unknown) transformed?: string;
      @Exclude() excluded?: string;
      initialised = 'x';

      get computed(): string {
        return this.initialised;
      }
    }
    const payload = { inherited: 'a', allowed: 1, typed: 1, exposed: 'a', renamed: 'a', transformed: 'a', excluded: 'a', initialised: 'y', computed: 'y' };
    const { renamed, computed, excluded: _, ...same } = payload;
    const stored = { ...same, other_name: renamed };
    expect(JSON.parse(await published(Declared, payload))).toEqual({ ...stored, computed });
    expect(await received(Declared, { ...stored, computed, x: 1 })).toEqual({ ...same, renamed });
    expect((await thrownBy(() => published(Declared, { ...payload, x: 1 }))).problems).toEqual(['x is not declared by Declared']);
  });

  it('by the name that the class has for it; the one that it is stored under would be lost where it is published', async () => {
    @Topic('renamed')
    class Renamed {
      @Expose({ name: 'first_name' }) @IsOptional() @IsString()
      name?: string;
    }
    expect(await published(Renamed, { name: 'Ada' })).toBe('{"first_name":"Ada"}');
    expect((await thrownBy(() => published(Renamed, { first_name: 'Ada' }))).problems).toEqual([
      "first_name is not declared by Renamed: did you mean 'name'?",
    ]);
    expect(await received(Renamed, { first_name: 'Ada' })).toEqual({ name: 'Ada' });
  });

  it('when it tells subtypes apart; each subtype is looked at by its own class', async () => {
    abstract class Shape {}
    class Circle extends Shape {
      @IsInt() radius!: number;
    }
    class Square extends Shape {
      @IsInt() side!: number;
    }
    const discriminator = { property: 'kind', subTypes: [{ value: Circle, name: 'circle' }, { value: Square, name: 'square' }] };
    @Topic('drawings')
    class Drawing {
      @ValidateNested({ each: true }) @Type(() => Shape, { discriminator, keepDiscriminatorProperty: true })
      shapes!: Shape[];
    }
    await published(Drawing, { shapes: [{ kind: 'circle', radius: 1 }, { kind: 'square', side: 1 }] });
    await published(Drawing, { shapes: [Object.assign(new Circle(), { radius: 1 })] });
    const { problems } = await thrownBy(() => published(Drawing, { shapes: [{ kind: 'circle', radius: 1, side: 2 }] }));
    expect(problems).toEqual(['shapes[0].side is not declared by Circle']);
  });

  it('inside of collections by the class of their items', async () => {
    @Topic('shelves')
    class Shelf {
      @IsOptional() @ValidateNested() @Type(() => Line)
      byName?: Map<string, Line>;

      @IsOptional() @ValidateNested({ each: true }) @Type(() => Line)
      all?: Set<Line>;
    }
    const extra = { ...line, x: 1 };
    const shelf = { byName: new Map([['a', extra]]), all: new Set([extra]) };
    const paths = ['byName.a.x is not declared by Line', 'all[0].x is not declared by Line'];
    expect((await thrownBy(() => published(Shelf, shelf))).problems).toEqual(paths);
    expect(await published(Shelf, shelf, 'strip')).toBe(JSON.stringify({ byName: { a: line }, all: [line] }));
    const stored = { byName: { a: extra }, all: [extra] };
    expect((await thrownBy(() => published(Shelf, stored))).problems).toEqual(paths);
    expect((await received(Shelf, stored)).byName!.get('a')).toEqual(line);
  });

  it('or not is nothing that a class without a single rule can say', async () => {
    @Topic('loose')
    class Loose {
      a?: number;
    }
    expect(await published(Loose, { a: 1, b: { c: 2 } })).toBe('{"a":1,"b":{"c":2}}');
    expect(await received(Loose, { a: 1, b: 2 })).toEqual({ a: 1, b: 2 });
  });
});

describe('the setting', () => {
  const more = { id: 'o1', note: 'x', gift: { ...line, price: 5 } };
  const declared = { id: 'o1', gift: line };

  it('strip stores and delivers what is declared, and leaves the caller its object', async () => {
    const given = { ...more, save: () => 1, units: 12n };
    expect(JSON.parse(await published(Order, given, 'strip'))).toEqual(declared);
    expect(given.gift.price).toBe(5);
    expect(await received(Order, more, 'strip')).toEqual(declared);
  });

  it('keep stores and delivers everything', async () => {
    expect(JSON.parse(await published(Order, more, 'keep'))).toEqual(more);
    expect(await received(Order, more, 'keep')).toEqual(more);
  });

  it('refuse lets in what a newer process sent: the handler gets what its class declares, what is stored stays whole', async () => {
    const stored = structuredClone(more);
    expect(await received(Order, stored)).toEqual(declared);
    expect(stored).toEqual(more);
  });

  it.each(['refuse', 'strip', 'keep'] as const)('%s of a topic wins over that of the process', async (own) => {
    @Topic('own', { unknownProperties: own })
    class Own extends Order {}
    for (const ofProcess of ['refuse', 'strip', 'keep'] as const) {
      const text = await published(Own, more, ofProcess).catch(() => 'refused');
      expect(text).toBe(own === 'refuse' ? 'refused' : JSON.stringify(own === 'keep' ? more : declared));
    }
  });

  it('is one of three words, for topics and jobs', async () => {
    expect((await thrownBy(() => Topic('x', { unknownProperties: 'stripe' as never }))).problems).toEqual(["unknownProperties 'stripe' is not known: did you mean 'strip'?"]);
    expect((await thrownBy(() => Job('x', { queue: 'q', unknownProperties: 'no' as never }))).problems).toHaveLength(1);
    @Job('x', { queue: 'q', unknownProperties: 'strip' })
    class Own {}
    expect(jobOf(Own).unknownProperties).toBe('strip');
  });
});
