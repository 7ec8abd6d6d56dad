import { describe, expect, it } from '@jest/globals';
import { batchPipeline, type Delivery, deliveryPipeline, fixed, Lease, MillraceError, newMessageId, Topic, topicOf } from '@millrace/core';
import { ValidateBy } from 'class-validator';

let answer: Promise<boolean>;

@Topic('slow')
class Slow {
  @ValidateBy({ name: 'slow', async: true, validator: { validate: () => answer } })
  id!: string;
}

const parts = { topic: topicOf(Slow), group: 'g', retry: { attempts: 3, backoff: fixed('1s'), deadLetterOn: [] } };
const begun: object[] = [];
const handle = (payload: object): Promise<unknown> => Promise.resolve(begun.push(payload));
const alone = deliveryPipeline({ ...parts, handle });
const inBatch = batchPipeline({ ...parts, handle });

function deliveryOf(lease: Lease, paused: AbortSignal): Delivery {
  const none = { key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
  const place = { topic: 'slow', partition: 0, offset: 0, group: 'g', attempt: 1, crashes: 0, replayed: false };
  return { message: { id: newMessageId(), ...none, payload: { id: 'a' } }, ...place, lease, signal: lease.signal, paused };
}

describe('a message whose payload is still validated', () => {
  it.each([
    ['is given up', 'alone'],
    ['is given up', 'in a batch'],
    ['may not begin any more', 'alone'],
    ['may not begin any more', 'in a batch'],
  ])('is not begun when it %s meanwhile, %s', async (event, how) => {
    const [lease, holding] = [new Lease(), new AbortController()];
    const delivery = deliveryOf(lease, holding.signal);
    let answered!: (isValid: boolean) => void;
    answer = new Promise((resolve) => (answered = resolve));
    begun.length = 0;
    const outcomes = how === 'alone' ? alone(delivery).then((outcome) => [outcome]) : inBatch([delivery]);
    if (event === 'is given up') lease.giveUp(new MillraceError('STATE_LOST', 'another has it'));
    else holding.abort();
    answered(true);
    expect([await outcomes, begun]).toEqual([[{ kind: 'release' }], []]);
  });
});
