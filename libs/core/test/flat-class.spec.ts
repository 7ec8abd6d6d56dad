import { describe, expect, it } from '@jest/globals';
import {
  decodePayload, encodePayload, MAX_PAYLOAD_BYTES, MillraceError, type OutgoingMessage, plainPayload,
  Publisher, type PublishPort, Topic, type UnknownProperties,
} from '@millrace/core';
import {
  Allow, IsBoolean, IsDefined, IsIn, IsInt, IsOptional, IsString, Length, Min, Validate, ValidateBy, ValidateNested,
  type ValidationArguments, type ValidatorConstraintInterface,
} from 'class-validator';
import fc from 'fast-check';
import { thrownBy } from './thrown.js';

// Payloads of text, numbers and booleans go a way of their own. It must never differ from the whole way.

class IsEven implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return typeof value === 'number' && value % 2 === 0;
  }
}

function MatchesId(): PropertyDecorator {
  const isId = (value: unknown, args?: ValidationArguments): boolean => args?.object instanceof Order && value === args.object.id;
  return ValidateBy({ name: 'matchesId', validator: { validate: isId, defaultMessage: () => '$property must be the id' } });
}

class Order {
  @IsString() @Length(1, 4)
  id!: string;

  @IsInt() @Min(-2)
  count!: number;

  @IsOptional() @IsBoolean()
  flag?: boolean;

  @IsOptional() @Validate(IsEven)
  even?: number;

  @IsOptional() @IsIn(['x', 1, 0, null], { each: true })
  choice?: unknown;

  @IsOptional() @MatchesId()
  copy?: string;

  @IsDefined()
  defined!: unknown;

  @Allow()
  anything?: unknown;

  @IsOptional() @IsString()
  'a "name" \n'?: string;
}

/** Its rules look into objects, so that the whole way is taken; otherwise it is the same. */
class Whole extends Order {
  @IsOptional() @ValidateNested()
  inside?: object;
}

class Odd {
  id = 'own';
}

const scalar = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, '', 'a', 'abcde', 'x', '\ud800', '\u{1f600}', '"\\\n\u2028', 'n'.repeat(200), true, false),
  fc.constantFrom<unknown>(0, -0, 1, 2, -3, 1.5, 1e21, 5e-324, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER),
  fc.integer({ min: -3, max: 3 }),
  fc.string({ unit: 'binary' }),
);
const weird = fc.constantFrom<unknown>(
  5n, Symbol('s'), () => 1, new Date(0), new Map(), [1], [undefined], {}, { a: { b: 1 } }, new Odd(), Object.create({ id: 'a' }), new String('a'),
);
const usual = fc.record({ id: fc.constantFrom('a', 'ab'), count: fc.integer({ min: -2, max: 9 }), defined: fc.constant('d') });
const any = fc.oneof({ weight: 9, arbitrary: scalar }, { weight: 1, arbitrary: weird });
const rest = fc.record(
  { id: any, count: any, flag: any, even: any, choice: any, copy: any, defined: any, anything: any, 'a "name" \n': any, unknown: any, constructor: any, 7: any },
  { requiredKeys: [] },
);
/** Good but for a few properties, which may be anything. */
const payload = fc.tuple(usual, rest, fc.nat(3), fc.boolean()).map(([good, bad, count, isLast]) => {
  const some = Object.fromEntries(Object.entries(bad).slice(0, count));
  return isLast ? { ...good, ...some } : { ...some, ...good };
});

type Outcome = { text: string } | { code: string; message: string; problems: readonly string[] };

function outcomeOf(type: typeof Order, given: unknown, unknownProperties: UnknownProperties): Promise<Outcome> {
  return outcomeBy(() => encodePayload(type, given as Order, { where: 'here', unknownProperties }));
}

/** The outcome for one that writes the text by itself. */
function plainOutcomeOf(given: unknown, unknownProperties: UnknownProperties): Promise<Outcome> {
  return outcomeBy(async () => {
    const plain = await plainPayload(Order, { given: { payload: given, where: 'here' }, unknownProperties });
    expect(inJson(plain)).toStrictEqual(plain);
    return JSON.stringify(plain);
  });
}

async function outcomeBy(write: () => Promise<string>): Promise<Outcome> {
  try {
    return { text: await write() };
  } catch (error) {
    const { code, message, problems } = error as MillraceError;
    return { code, message: message.replaceAll('Whole', 'Order'), problems: problems.map((problem) => problem.replaceAll('Whole', 'Order')) };
  }
}

type Read = { own: object; ofClass: boolean } | { code: string; message: string; problems: readonly string[] };

async function readAs(type: typeof Order, stored: unknown, unknownProperties: UnknownProperties): Promise<Read> {
  try {
    const read = await decodePayload(type, stored, { where: 'here', unknownProperties });
    return { own: { ...read }, ofClass: read instanceof type };
  } catch (error) {
    const { code, message, problems } = error as MillraceError;
    return { code, message: message.replaceAll('Whole', 'Order'), problems: problems.map((problem) => problem.replaceAll('Whole', 'Order')) };
  }
}

function inJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)));
}

describe('a flat payload that is stored', () => {
  it.each(['refuse', 'strip', 'keep'] as const)('is read as on the whole way, where unknown properties are: %s', async (rule) => {
    const seen = { read: 0, refused: 0 };
    const check = async (given: object): Promise<void> => {
      const stored = inJson(given);
      const whole = await readAs(Whole, stored, rule);
      seen['own' in whole ? 'read' : 'refused'] += 1;
      expect(await readAs(Order, stored, rule)).toEqual(whole);
    };
    await fc.assert(fc.asyncProperty(payload, check), { numRuns: 800 });
    expect(seen.read).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(100);
  });

  it.each([[['a']], ['a'], [null], [1], [{}]])('%j is read as on the whole way', async (stored) => {
    expect(await readAs(Order, stored, 'keep')).toEqual(await readAs(Whole, stored, 'keep'));
  });

  it('is made by the constructor of its class, and stays as it is', async () => {
    let made = 0;
    class Counted {
      @IsString()
      id!: string;

      constructor() {
        made += 1;
      }
    }
    const stored = { id: 'a', more: 1 };
    await decodePayload(Counted, stored, 'here');
    made = 0;
    const read = await decodePayload(Counted, stored, { where: 'here', unknownProperties: 'strip' });
    expect([made, read instanceof Counted, { ...read }, stored]).toEqual([1, true, { id: 'a' }, { id: 'a', more: 1 }]);
  });
});

describe('a flat payload', () => {
  it.each(['refuse', 'strip', 'keep'] as const)('comes to what it comes to on the whole way, where unknown properties are: %s', async (rule) => {
    const seen = { text: 0, refused: 0 };
    const check = async (given: object): Promise<void> => {
      const whole = await outcomeOf(Whole, given, rule);
      seen['text' in whole ? 'text' : 'refused'] += 1;
      expect(await outcomeOf(Order, given, rule)).toEqual(whole);
      expect(await plainOutcomeOf(given, rule)).toEqual(whole);
    };
    await fc.assert(fc.asyncProperty(payload, check), { numRuns: 800 });
    expect(seen.text).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(100);
  });

  const good = { id: 'a', count: 1, defined: 1 };
  it.each<[string, () => unknown]>([
    ['an instance', () => Object.assign(new Order(), good)],
    ['an instance of another class', () => Object.assign(new Odd(), good)],
    ['an object without a prototype', () => Object.assign(Object.create(null) as object, good)],
    ['one that inherits', () => Object.create(good) as object],
    ['one with a property that is not enumerable', () => Object.defineProperty({ count: 1, defined: 1 }, 'id', { value: 'a', enumerable: false })],
    ['one that calls itself something else', () => ({ ...good, [Symbol.toStringTag]: 'Order' })],
    ['one that says itself what it is', () => ({ ...good, toJSON: () => ({ ...good, id: 'b' }) })],
    ['one whose getter throws', () => ({ ...good, get anything(): never { throw new Error('no'); } })],
    ['frozen', () => Object.freeze({ ...good })],
    ['a proxy', () => new Proxy({ ...good }, {})],
    ['a list', () => [good]],
    ['text', () => 'a'],
    ['null', () => null],
  ])('that is %s, too', async (_, make) => {
    for (const rule of ['refuse', 'strip', 'keep'] as const) expect(await outcomeOf(Order, make(), rule)).toEqual(await outcomeOf(Whole, make(), rule));
  });

  it('is read once: what was checked is what is written', async () => {
    let reads = 0;
    const changing = { id: 'a', defined: 1, get count(): unknown { return (reads += 1) === 1 ? 1 : 'text'; } };
    expect(await encodePayload(Order, changing as never, 'here')).toBe('{"id":"a","defined":1,"count":1}');
  });

  it.each([[MAX_PAYLOAD_BYTES, true], [MAX_PAYLOAD_BYTES + 1, false]])('with %i bytes may be published: %s', async (bytes, isGood) => {
    class Note {
      @IsString()
      note!: string;
    }
    for (const letter of ['x', 'ü']) {
      const size = bytes - '{"note":""}'.length;
      const note = letter.repeat(size / Buffer.byteLength(letter)) + 'x'.repeat(size % Buffer.byteLength(letter));
      const encoding = encodePayload(Note, { note }, 'here').then(() => true, (error: unknown) => (error as MillraceError).code);
      expect(await encoding).toBe(isGood || 'PAYLOAD_TOO_LARGE');
    }
  });

  it('makes no instance of its class but one, to know it', async () => {
    let made = 0;
    class Counted {
      @IsString()
      id!: string;

      constructor() {
        made += 1;
      }
    }
    await encodePayload(Counted, { id: 'a' }, 'here');
    const before = made;
    for (let n = 0; n < 10; n += 1) await encodePayload(Counted, { id: 'a' }, 'here');
    expect(made).toBe(before);
  });

  it('goes the whole way when its class has defaults, or members, or cannot be made', async () => {
    class Defaults {
      @IsString() id = 'own';
    }
    class Members {
      @IsString() id!: string;
      get other(): string { return ''; }
    }
    class Never {
      @IsString() id!: string;
      constructor() { throw new Error('never'); }
    }
    for (const type of [Defaults, Members, Never]) {
      expect(await thrownBy(() => encodePayload(type, { id: 7 } as never, 'here'))).toMatchObject({ code: 'INVALID_PAYLOAD' });
    }
    expect(await encodePayload(Defaults, {} as never, 'here')).toBe('{}');
  });
});

describe('a flat payload whose text somebody else writes', () => {
  it.each(['n', '\u001f', '\u{1f600}'])('is refused at the same size: many of %j', async (character) => {
    const bytes = Buffer.byteLength(JSON.stringify(character)) - 2;
    const room = MAX_PAYLOAD_BYTES - JSON.stringify({ id: 'a', count: 1, defined: '' }).length;
    const given = (length: number): object => ({ id: 'a', count: 1, defined: character.repeat(length) });
    for (const length of [MAX_PAYLOAD_BYTES / 8, Math.floor(room / bytes)]) {
      expect(await plainOutcomeOf(given(length), 'refuse')).toEqual({ text: JSON.stringify(given(length)) });
    }
    expect(await plainOutcomeOf(given(Math.floor(room / bytes) + 1), 'refuse')).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});

describe('the text of a payload that is published with an idempotency key', () => {
  it('has sorted names and is otherwise the payload, on the quick way and on the whole way', async () => {
    const texts: string[] = [];
    const publish: PublishPort['publish'] = (_topic, { payloadJson, id }: OutgoingMessage) => {
      texts.push(payloadJson);
      return Promise.resolve({ id, partition: 0, offset: 0, duplicate: false });
    };
    const publisher = new Publisher({ publish }, 'keep');
    @Topic('named')
    class Named extends Order {}
    const publishSorted = async (payload: object): Promise<string> => {
      await publisher.publish(Named, payload as Named, { idempotencyKey: 'k' });
      return texts.pop()!;
    };
    const rest = { id: 'ü"', count: 1, defined: 'd' };
    const sortedRest = '"count":1,"defined":"d","id":"ü\\""';
    expect(await publishSorted(rest)).toBe(`{${sortedRest}}`);
    expect(await publishSorted({ ...rest, flag: undefined })).toBe(`{${sortedRest}}`);
    expect(await publishSorted({ ...rest, 10: 1, 9: 2 })).toBe(`{"9":2,"10":1,${sortedRest}}`);
    expect(await publishSorted({ z: { b: [{ d: 1, c: null }], a: 2, 10: 3, 9: 4 }, ...rest })).toBe(
      `{${sortedRest},"z":{"9":4,"10":3,"a":2,"b":[{"c":null,"d":1}]}}`,
    );
    await publisher.publish(Named, rest);
    expect(texts).toEqual([JSON.stringify(rest)]);
  });
});
