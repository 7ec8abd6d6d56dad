import { describe, expect, it } from '@jest/globals';
import { type OutgoingMessage, Publisher, type PublishPort, Topic } from '@millrace/core';
import { ValidateBy } from 'class-validator';

@Topic('marked')
class Marked {
  @ValidateBy({ name: 'marks', validator: { validate: (value: { seen?: true }) => (value.seen = true) } })
  meta!: object;
}

describe('a rule that changes the object at which it looks', () => {
  it('changes neither the object of the caller nor the text of the payload, with an idempotency key or without', async () => {
    const texts: string[] = [];
    const publish: PublishPort['publish'] = (_topic, { payloadJson, id }: OutgoingMessage) => {
      texts.push(payloadJson);
      return Promise.resolve({ id, partition: 0, offset: 0, duplicate: false });
    };
    const given = { more: 2, meta: { x: 1 } };
    for (const options of [{}, { idempotencyKey: 'k' }]) {
      for (const rule of ['keep', 'strip'] as const) await new Publisher({ publish }, rule).publish(Marked, given, options);
    }
    expect(given).toEqual({ more: 2, meta: { x: 1 } });
    expect(texts).toEqual(['{"more":2,"meta":{"x":1}}', '{"meta":{"x":1}}', '{"meta":{"x":1},"more":2}', '{"meta":{"x":1}}']);
  });
});
