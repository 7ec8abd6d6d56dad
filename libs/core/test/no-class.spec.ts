import { describe, expect, it } from '@jest/globals';
import { decodePayload, encodePayload, jobOf, type PayloadClass, Publisher, topicOf } from '@millrace/core';
import { Type } from 'class-transformer';
import { IsOptional, ValidateNested } from 'class-validator';
import { delivered } from './delivered.js';
import { thrownBy } from './thrown.js';

const CIRCLE = expect.stringContaining('files import each other in a circle and it is not there yet: move what both of them need into a file of its own.');

describe('a class that is not there, because files import each other in a circle,', () => {
  it('is explained where a topic or a job is named', async () => {
    const missing = undefined as unknown as PayloadClass;
    const publisher = new Publisher({ publish: () => Promise.reject(new Error('not reached')) });
    expect(await thrownBy(() => topicOf(missing))).toMatchObject({ code: 'NOT_A_TOPIC', message: CIRCLE });
    expect(await thrownBy(() => jobOf(missing))).toMatchObject({ code: 'NOT_A_JOB', message: CIRCLE });
    expect(await thrownBy(() => publisher.publish(missing, {}))).toMatchObject({ code: 'NOT_A_TOPIC', message: CIRCLE });
  });

  it.each([
    ['is undefined', () => undefined as never],
    ['cannot be touched yet', () => { throw new ReferenceError("Cannot access 'Later' before initialization"); }],
  ])('is explained where @Type names it and it %s', async (_title, type: () => never) => {
    class Order {
      @IsOptional() @ValidateNested() @Type(() => type())
      line?: object;
    }
    const message = expect.stringContaining('Order.line: its @Type gives no class, but a value of type undefined');
    const at = { where: 'publish()', unknownProperties: 'refuse' } as const;
    const outgoing = await thrownBy(() => encodePayload(Order, { line: {} }, at));
    expect(outgoing).toMatchObject({ code: 'INVALID_OPTIONS', message });
    expect(outgoing).toMatchObject({ message: CIRCLE });
    const incoming = await thrownBy(() => decodePayload(Order, { line: {} }, { ...at, where: 'message' }));
    expect(incoming).toMatchObject({ code: 'INVALID_PAYLOAD', message });
  });
});

describe('a class that names itself', () => {
  it('is published and delivered as deep as it goes', async () => {
    class Node {
      @IsOptional() @ValidateNested({ each: true }) @Type(() => Node)
      children?: Node[];
    }
    const tree = { children: [{ children: [{}] }, {}] };
    const arrived = await delivered(Node, tree);
    expect(arrived).toEqual(tree);
    expect(arrived.children![0]!.children![0]).toBeInstanceOf(Node);
  });
});
