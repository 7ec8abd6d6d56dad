import { describe, expect, it } from '@jest/globals';
import { changesOf } from '../src/schema/changes.js';
import { type Contracts, contractsIn, type Schema } from '../src/schema/contracts.js';

type Fields = Readonly<Record<string, Schema>>;

type Messages = Readonly<Record<string, object>>;

function contracts(messages: Messages, schemas: Readonly<Record<string, Schema>> = {}, partitions = 4): Contracts {
  const channels = Object.keys(messages).length === 0 ? {} : { orders: { messages, 'x-millrace-partitions': partitions } };
  return contractsIn({ asyncapi: '3.0.0', channels, components: { schemas } }, 'a test');
}

/** One topic whose messages have these fields. */
function fields(properties: Fields, required: readonly string[] = []): Contracts {
  return contracts({ payload: { payload: { $ref: '#/components/schemas/Order' } } }, { Order: { type: 'object', properties, required } });
}

/** The field `a` with these rules. */
function field(schema: Schema): Contracts {
  return fields({ a: schema });
}

function told(before: Contracts, after: Contracts): string[] {
  return changesOf(before, after).map(({ kind, path, what }) => `${kind} ${path}: ${what}`);
}

const TEXT = { type: 'string' };
const ANY = { payload: { payload: {} } };
const LINE = { payload: { payload: { $ref: '#/components/schemas/Line' } } };
const line = (item: Schema): Fields => ({ Line: { type: 'object', properties: { item, part: { $ref: '#/components/schemas/Line' } } } });

describe('the changes of schemas', () => {
  it.each<[string, Contracts, Contracts, string[]]>([
    ['nothing', fields({ a: TEXT }, ['a']), fields({ a: TEXT }, ['a']), []],
    ['a topic that is gone', contracts(ANY), contracts({}), ['breaking orders: the topic is gone']],
    ['a new topic', contracts({}), contracts(ANY), ['compatible orders: the topic is new']],
    ['types', contracts({ paid: {}, sent: {} }), contracts({ paid: {}, back: {} }), ['breaking orders/sent: the type is gone', 'compatible orders/back: the type is new']],
    ['a version', contracts({ paid: { 'x-millrace-version': 1 } }), contracts({ paid: { 'x-millrace-version': 2 } }), ['compatible orders/paid: version: 1 is 2 now']],
    ['more partitions', contracts(ANY, {}, 4), contracts(ANY, {}, 8), ['compatible orders: partitions: 4 is 8 now']],
    ['fewer partitions', contracts(ANY, {}, 4), contracts(ANY, {}, 2), ['breaking orders: partitions: 4 is 2 now']],
    ['a field that is gone', fields({ a: TEXT, b: TEXT }), fields({ a: TEXT }), ['breaking orders/payload/b: the field is gone']],
    [
      'another name', fields({ a: TEXT }), fields({ b: TEXT }),
      ['breaking orders/payload/a: the field is gone, perhaps renamed: b is new and has the same schema', 'compatible orders/payload/b: the field is new'],
    ],
    ['a new field', fields({}), fields({ a: TEXT }), ['compatible orders/payload/a: the field is new']],
    ['a new required field', fields({}), fields({ a: TEXT }, ['a']), ['breaking orders/payload/a: the field is new and required']],
    ['a field that must be there', fields({ a: TEXT }), fields({ a: TEXT }, ['a']), ['breaking orders/payload/a: it is required now']],
    ['a field that need not be there', fields({ a: TEXT }, ['a']), fields({ a: TEXT }), ['compatible orders/payload/a: it is optional now']],
    ['another class with the same rules', contracts({ payload: { payload: { $ref: '#/components/schemas/A' } } }, { A: { type: 'object' } }), fields({}), []],
    ['parts of the same class', contracts(LINE, line(TEXT)), contracts(LINE, line({ type: 'number' })), ['breaking orders/payload/item: type: string is number now']],
    [
      'items', field({ type: 'array', items: { type: 'object', properties: { b: TEXT } } }), field({ type: 'array', items: { type: 'object' } }),
      ['breaking orders/payload/a[]/b: the field is gone'],
    ],
  ])('tell of %s', (_, before, after, expected) => expect(told(before, after)).toEqual(expected));

  it.each<[Schema, Schema, 'breaking' | 'compatible', string]>([
    [{ type: 'string' }, { type: 'number' }, 'breaking', 'type: string is number now'],
    [{ type: 'number' }, { type: 'integer' }, 'breaking', 'type: number is integer now'],
    [{ type: 'integer' }, { type: 'number' }, 'compatible', 'type: integer is number now'],
    [{}, { type: 'string' }, 'breaking', 'type: any is string now'],
    [{ type: 'string' }, {}, 'compatible', 'type: string is any now'],
    [{ enum: ['a', 'b'] }, { enum: ['a'] }, 'breaking', 'the value "b" is gone'],
    [{ enum: ['a'] }, { enum: ['a', 'b'] }, 'compatible', 'the value "b" is new'],
    [{ type: 'string' }, { enum: ['a'] }, 'breaking', 'only these values may be there now: "a"'],
    [{ const: 'a' }, { type: 'string' }, 'compatible', 'any value of its type may be there now'],
    [{ const: 'a' }, { enum: ['a', 'b'] }, 'compatible', 'the value "b" is new'],
    [{ maximum: 99 }, { maximum: 10 }, 'breaking', 'maximum: 99 is 10 now'],
    [{ maximum: 10 }, { maximum: 99 }, 'compatible', 'maximum: 10 is 99 now'],
    [{ maximum: 10 }, {}, 'compatible', 'maximum: 10 is none now'],
    [{}, { maxLength: 10 }, 'breaking', 'maxLength: none is 10 now'],
    [{ minimum: 1 }, { minimum: 2 }, 'breaking', 'minimum: 1 is 2 now'],
    [{ minItems: 2 }, { minItems: 1 }, 'compatible', 'minItems: 2 is 1 now'],
    [{ multipleOf: 4 }, { multipleOf: 2 }, 'compatible', 'multipleOf: 4 is 2 now'],
    [{ multipleOf: 4 }, { multipleOf: 3 }, 'breaking', 'multipleOf: 4 is 3 now'],
    [{}, { uniqueItems: true }, 'breaking', 'uniqueItems: none is true now'],
    [{ pattern: 'a' }, { pattern: 'b' }, 'breaking', 'pattern: "a" is "b" now'],
    [{ format: 'uuid' }, {}, 'compatible', 'format: "uuid" is none now'],
    [{ oneOf: [1] }, { oneOf: [2] }, 'breaking', 'oneOf: [1] is [2] now'],
  ])('take %j to %j for %s', (before, after, kind, what) => {
    expect(told(field(before), field(after))).toEqual([`${kind} orders/payload/a: ${what}`]);
  });

  it('come with those first that break something', () => {
    expect(changesOf(fields({ b: TEXT }), fields({ a: { type: 'number' } })).map(({ kind }) => kind)).toEqual(['breaking', 'compatible']);
  });

  it('need every schema that is referred to', () => {
    const broken = contracts({ payload: { payload: { $ref: '#/components/schemas/Gone' } } });
    expect(() => changesOf(broken, broken)).toThrow(/refers to "#\/components\/schemas\/Gone"/);
  });
});
