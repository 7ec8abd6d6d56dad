import { describe, expect, it } from '@jest/globals';
import { type Delivery, deliveryPipeline, fixed, Lease, MillraceError, newMessageId, Topic, topicOf } from '@millrace/core';
import { ValidateBy } from 'class-validator';

let answer: Promise<boolean>;

@Topic('slow')
class Slow {
  @ValidateBy({ name: 'slow', async: true, validator: { validate: () => answer } })
  id!: string;
}

describe('a message whose payload is still validated', () => {
  it.each(['is given up', 'may not begin any more'])('is not begun when it %s meanwhile', async (what) => {
    const [lease, holding] = [new Lease(), new AbortController()];
    const none = { key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
    const place = { topic: 'slow', partition: 0, offset: 0, group: 'g', attempt: 1, crashes: 0, replayed: false };
    const message = { id: newMessageId(), ...none, payload: { id: 'a' } };
    const delivery: Delivery = { message, ...place, lease, signal: lease.signal, paused: holding.signal };
    let answered!: (isValid: boolean) => void;
    answer = new Promise((resolve) => (answered = resolve));
    const begun: object[] = [];
    const retry = { attempts: 3, backoff: fixed('1s'), deadLetterOn: [] };
    const handle = (payload: object): Promise<unknown> => Promise.resolve(begun.push(payload));
    const outcome = deliveryPipeline({ topic: topicOf(Slow), group: 'g', retry, handle })(delivery);
    if (what === 'is given up') lease.giveUp(new MillraceError('STATE_LOST', 'another has it'));
    else holding.abort();
    answered(true);
    expect([await outcome, begun]).toEqual([{ kind: 'release' }, []]);
  });
});
