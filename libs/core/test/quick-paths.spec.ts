import { describe, expect, it } from '@jest/globals';
import { decodePayload } from '@millrace/core';
import { plainToInstance, Type } from 'class-transformer';
import {
  Allow, ArrayMinSize, Contains, Equals, IsArray, IsBoolean, IsDate, IsDefined, IsIn, IsInt, IsNotEmpty, IsNumber, IsObject,
  IsOptional, IsString, Length, Matches, Max, Min, validate, Validate, ValidateIf, ValidateNested, ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import fc from 'fast-check';

// Payloads take ways of our own around the slow parts of class-transformer and class-validator. They must never differ.

@ValidatorConstraint({ name: 'even' })
class IsEven implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return typeof value === 'number' && value % 2 === 0;
  }

  defaultMessage(): string {
    return 'be even';
  }
}

class Line {
  @IsString() @Length(1, 3)
  item!: string;

  @IsInt() @Min(-2) @Max(2)
  count!: number;

  @IsOptional() @ValidateNested() @Type(() => Line)
  part?: Line;
}

abstract class Base {
  @IsDefined()
  id!: unknown;

  @Type(() => Number) @IsOptional() @IsNumber()
  size?: number;

  ownDefault = 'd';

  get computed(): string {
    return `computed ${String(this.id)}`;
  }

  set written(value: unknown) {
    Reflect.set(this, 'wrote', value);
  }
}

class Everything extends Base {
  @IsOptional() @IsArray() @ArrayMinSize(1) @ValidateNested({ each: true }) @Type(() => Line)
  lines?: Line[];

  @IsOptional() @ValidateNested() @Type(() => Line)
  line?: Line;

  @IsOptional() @IsString({ each: true }) @Contains('a', { each: true })
  tags?: string[];

  @IsOptional() @IsDate() @Type(() => Date)
  at?: Date;

  @IsOptional() @IsDate({ each: true }) @Type(() => Date)
  days?: Date[];

  @IsOptional() @Type(() => String) @Matches(/^[a-z0-9]*$/)
  code?: string;

  @IsOptional() @Type(() => Boolean) @IsBoolean()
  flag?: boolean;

  @ValidateIf((object: Everything) => object.flag === true) @IsNotEmpty() @IsIn(['x', 'y', 1])
  choice?: unknown;

  @IsOptional() @Validate(IsEven, { each: true })
  evens?: number[];

  @IsOptional() @IsObject()
  meta?: object;

  @IsOptional() @Equals(1, { validateIf: (_, value) => value !== null && value !== 'skip' })
  one?: unknown;

  @Allow()
  anything?: unknown;

  @IsOptional() @Type(() => Object)
  object?: unknown;

  method(): string {
    return 'mine';
  }
}

const scalar = fc.oneof(
  fc.constant(null), fc.boolean(), fc.integer({ min: -3, max: 3 }), fc.double({ noNaN: true }), fc.constantFrom('', 'a', 'ab', 'abcd', 'x', 'skip', '1', '2026-11-21'),
);
const line = fc.letrec((tie) => ({
  line: fc.oneof(
    { depthSize: 'small' },
    fc.record({ item: fc.constantFrom('a', 'ab', 'abc'), count: fc.integer({ min: -2, max: 2 }) }),
    scalar,
    fc.record({ item: scalar, count: scalar, part: tie('line'), extra: fc.jsonValue() }, { requiredKeys: [] }),
  ),
})).line;
const oneOrMany = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof(item, fc.array(item, { maxLength: 3 }), fc.array(fc.array(item, { maxLength: 2 }), { maxLength: 2 }));
const data = fc.record(
  {
    id: scalar,
    size: oneOrMany(scalar),
    lines: oneOrMany(line),
    line: oneOrMany(line),
    tags: oneOrMany(scalar),
    at: oneOrMany(scalar),
    days: oneOrMany(scalar),
    code: oneOrMany(scalar),
    flag: oneOrMany(scalar),
    choice: scalar,
    evens: oneOrMany(scalar),
    meta: fc.jsonValue(),
    one: scalar,
    anything: fc.jsonValue(),
    object: fc.jsonValue(),
    unknown: fc.jsonValue(),
    ownDefault: scalar,
    method: scalar,
    written: scalar,
  },
  { requiredKeys: [] },
);

const good = fc.record(
  {
    id: fc.integer(),
    lines: fc.array(fc.record({ item: fc.constantFrom('a', 'ab'), count: fc.integer({ min: -2, max: 2 }) }), { minLength: 1, maxLength: 3 }),
    tags: fc.array(fc.constantFrom('a', 'ba')),
    at: fc.constantFrom('2026-11-21', 0),
    flag: fc.boolean(),
    choice: fc.constantFrom('x', 'y', 1),
    evens: fc.array(fc.constantFrom(0, 2, -4)),
    meta: fc.dictionary(fc.constantFrom('a', 'b'), scalar),
    one: fc.constantFrom(1, null, 'skip'),
    written: scalar,
  },
  { requiredKeys: ['id', 'choice'] },
);
/** Good but for one or two properties, which may be anything. */
const mixed = fc.tuple(good, data, fc.nat(), fc.nat()).map(([plain, other, a, b]) => {
  const entries = Object.entries(other);
  return { ...plain, ...Object.fromEntries([a, b].flatMap((n) => entries.slice(n % (entries.length || 1)).slice(0, 1))) };
});

/** Names that every object has take another way, and class-transformer drops what is under them. */
function hasReservedName(value: unknown): boolean {
  return value !== null && typeof value === 'object' && Object.entries(value).some(([name, part]) => name in Object.prototype || hasReservedName(part));
}

/** The result of class-transformer and class-validator by themselves. */
async function reference(plain: object): Promise<{ instance: Everything; isValid: boolean }> {
  const instance = plainToInstance(Everything, plain);
  return { instance, isValid: (await validate(instance, { forbidUnknownValues: true })).length === 0 };
}

describe('a decoded payload', () => {
  it('is what class-transformer makes, and valid exactly when class-validator says so', async () => {
    const seen = { valid: 0, invalid: 0 };
    const check = async (generated: object): Promise<void> => {
      const plain = JSON.parse(JSON.stringify(generated)) as object;
      fc.pre(!hasReservedName(plain));
      const { instance, isValid } = await reference(plain);
      seen[isValid ? 'valid' : 'invalid'] += 1;
      const decoded = await decodePayload(Everything, plain, 'message').catch((error: unknown) => error);
      if (isValid) expect(decoded).toStrictEqual(instance);
      else expect(decoded).toMatchObject({ code: 'INVALID_PAYLOAD' });
    };
    await fc.assert(fc.asyncProperty(fc.oneof(good, mixed, data), check), { numRuns: 600 });
    expect(seen.valid).toBeGreaterThan(100);
    expect(seen.invalid).toBeGreaterThan(100);
  });
});
