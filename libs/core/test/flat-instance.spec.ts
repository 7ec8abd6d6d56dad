import { describe, expect, it } from '@jest/globals';
import { decodePayload, encodePayload, type MillraceError, type UnknownProperties } from '@millrace/core';
import { IsInt, IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';
import { thrownBy } from './thrown.js';

async function readAs(type: new () => object, stored: object, unknownProperties: UnknownProperties): Promise<unknown> {
  try {
    return { ...(await decodePayload(type, stored, { where: 'here', unknownProperties })), inside: undefined };
  } catch (error) {
    return (error as MillraceError).code;
  }
}

describe('a flat payload that is stored is made and checked as on the whole way', () => {
  function Wrapped<T extends object>(original: new () => T): new () => T {
    const wrapper = function (): object { return Reflect.construct(original, []); };
    wrapper.prototype = original.prototype as object;
    return wrapper as unknown as new () => T;
  }
  const Rule = (validate: (value: unknown, args: ValidationArguments) => boolean): PropertyDecorator =>
    ValidateBy({ name: 'rule', validator: { validate: (value, args) => validate(value, args as ValidationArguments) } });
  const both = (type: new () => object, stored: object, rule: UnknownProperties = 'keep'): Promise<unknown[]> => {
    // An object in it makes it go the whole way.
    return Promise.all([stored, { ...stored, inside: {} }].map((given) => readAs(type, given, rule)));
  };

  it('where something stands in the place of its class', async () => {
    class Plain { @IsInt() count!: number; }
    for (const type of [Wrapped(Plain), new Proxy(Plain, {})]) {
      expect(await both(type, { count: 'text' })).toEqual(['INVALID_PAYLOAD', 'INVALID_PAYLOAD']);
      expect(await both(type, { count: 1 })).toEqual([{ count: 1 }, { count: 1 }]);
      expect(await thrownBy(() => encodePayload(type, { count: 'text' } as never, 'here'))).toMatchObject({ code: 'INVALID_PAYLOAD' });
    }
  });

  it('where a rule changes the payload', async () => {
    class Trimmed {
      @Rule((value, { object }) => Reflect.set(object, 'text', String(value).trim())) text!: string;
    }
    expect(await both(Trimmed, { text: ' a ' })).toEqual([{ text: 'a' }, { text: 'a' }]);
  });

  it('where a rule asks for a property that is left out', async () => {
    class Asking {
      @Rule((_, { object }) => 'more' in object) text!: string;
    }
    expect(await both(Asking, { text: 'a', more: 1 }, 'strip')).toEqual(['INVALID_PAYLOAD', 'INVALID_PAYLOAD']);
    expect(await both(Asking, { text: 'a', more: 1 })).toEqual([{ text: 'a', more: 1 }, { text: 'a', more: 1 }]);
  });

  it('where the constructor converts, or gives a default later only', async () => {
    const current: { tenant?: string } = {};
    class Halved {
      @IsInt() count!: number;
      constructor() {
        let half: number;
        Object.defineProperty(this, 'count', { enumerable: true, get: () => half, set: (value: number) => (half = value / 2) });
      }
    }
    class Late {
      @IsOptional() @IsInt() tenant = current.tenant;
      @IsInt() count!: number;
    }
    await both(Late, { count: 1 });
    current.tenant = 'text';
    for (const type of [Halved, Late]) expect(await both(type, { count: 1 })).toEqual(['INVALID_PAYLOAD', 'INVALID_PAYLOAD']);
  });
});
