import { describe, expect, it } from '@jest/globals';
import { type Admin, mayAct, operationOf, OPERATIONS, optionsInBody, optionsInQuery, queryOf } from '@millrace/admin';
import { getMetadataStorage } from 'class-validator';
import { AdminBed } from './admin-bed.js';

const bed = new AdminBed('operations');

/** The names of the use cases of an admin, with that of their group before them. */
function useCasesOf(admin: Admin): string[] {
  return Object.entries(admin as unknown as Record<string, object | null>).flatMap(([name, value]) => {
    return typeof value === 'function' ? [name] : Object.keys(value ?? {}).map((own) => `${name}.${own}`);
  });
}

/** The properties that a class has a validator for. */
function checkedBy(options: new () => object): string[] {
  const found = getMetadataStorage().getTargetValidationMetadatas(options, '', false, false);
  return found.map(({ propertyName }) => propertyName);
}

describe('the table of operations', () => {
  it('has every use case of an admin', () => {
    const offered = OPERATIONS.map(({ name }) => name);
    // It makes an admin, and is none of its use cases.
    expect(useCasesOf(bed.admin).filter((name) => !offered.includes(name))).toEqual(['seenBy']);
    expect(new Set(offered).size).toBe(offered.length);
  });

  it('has a path of its own for each', () => {
    const paths = OPERATIONS.map(({ method, path }) => `${method} ${path.replaceAll(/:[a-z]+/gi, ':')}`);
    expect(new Set(paths).size).toBe(paths.length);
  });

  it('names options that the class of an operation checks, and no others', () => {
    for (const { name, inputs, options } of OPERATIONS) {
      const checked = options === null ? [] : checkedBy(options);
      expect([name, Object.keys(inputs).filter((input) => !checked.includes(input))]).toEqual([name, []]);
    }
  });

  it('runs a use case by its name', async () => {
    const options = { actor: 'ann', partitions: 2 } as never;
    await operationOf('topics.create').run(bed.admin, { topic: 'shop.orders' }, options);
    expect(await operationOf('topics.info').run(bed.admin, { topic: 'shop.orders' }, {} as never)).toMatchObject({ name: 'shop.orders' });
    expect(() => operationOf('topics.lose')).toThrow('There is no operation topics.lose.');
  });
});

describe('options outside TypeScript', () => {
  const KINDS = { limit: 'number', force: 'boolean', from: 'position', until: 'moment', where: 'json', key: 'text' } as const;
  const AT = new Date('2026-05-01T10:00:00.000Z');

  it('survive the way through a query string', () => {
    const options = { limit: 5, force: true, from: { offset: 3 }, until: AT, where: [{ field: 'key', op: '=', value: 'a' }], key: '7' };
    expect(optionsInQuery(queryOf(options), KINDS)).toEqual(options);
    expect(optionsInQuery(queryOf({ from: AT }), KINDS)).toEqual({ from: AT });
    expect(optionsInQuery(queryOf({ from: 'earliest', key: undefined }), KINDS)).toEqual({ from: 'earliest' });
  });

  it('survive the way through a JSON body', () => {
    const options = { limit: 5, from: AT, until: AT, key: '2026-05-01T10:00:00Z' };
    expect(optionsInBody(JSON.parse(JSON.stringify(options)) as object as Record<string, unknown>, KINDS)).toEqual(options);
  });

  it('stay as they are where they are none, for the use case to refuse', () => {
    const odd = { limit: '1e9', force: 'yes', until: '2026-13-01T00:00:00Z', where: '{', from: '{"offset"', key: ['a', 'b'], constructor: 'x' };
    expect(optionsInQuery(odd, KINDS)).toEqual(odd);
  });
});

describe('roles', () => {
  it('may do all that lesser ones may', () => {
    expect(mayAct('operator', 'viewer')).toBe(true);
    expect(mayAct('operator', 'operator')).toBe(true);
    expect(mayAct('viewer', 'operator')).toBe(false);
    expect(mayAct('operator', 'admin')).toBe(false);
  });
});
