import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import { RedisFailure } from '@millrace/redis';
import { answerOf, closingOf, isFinal, isInDoubt } from '../src/publish/answer.js';
import { Producer } from '../src/publish/producer.js';
import { PublishBudget } from '../src/publish/publish-budget.js';
import { MAX_BATCH_BYTES, PublishQueue } from '../src/publish/publish-queue.js';
import { LoneMessage } from '../src/publish/queued-message.js';
import { nextStep, type Standing } from '../src/publish/steps.js';

describe('the next step of a publisher', () => {
  const idle: Standing = {
    waiting: 0, hasFullBatch: false, inFlight: 0, mostInFlight: 4,
    isRefused: false, inDoubt: 0, isAwaited: false, isHalted: false,
  };

  it.each<[string, Partial<Standing>, string]>([
    ['nothing waits', {}, 'stop'],
    ['one message waits', { waiting: 1 }, 'send'],
    ['a batch is on its way, and no full one waits', { waiting: 200, inFlight: 1 }, 'wait'],
    ['a batch is on its way, and a full batch waits', { waiting: 256, hasFullBatch: true, inFlight: 3 }, 'send'],
    ['as many are on their way as may be', { waiting: 900, hasFullBatch: true, inFlight: 4 }, 'wait'],
    ['the last ones are on their way', { inFlight: 2 }, 'wait'],
    ['the first of several was refused', { waiting: 900, hasFullBatch: true, inFlight: 2, isRefused: true }, 'recover'],
    ['earlier batches are in doubt', { waiting: 900, hasFullBatch: true, inDoubt: 2 }, 'close'],
    ['a publish in doubt is still open', { inDoubt: 1, isAwaited: true }, 'close'],
    ['no publish in doubt, or behind it, is open', { inDoubt: 1 }, 'stop'],
    ['it is halted', { waiting: 900, hasFullBatch: true, isHalted: true }, 'stop'],
    ['it is halted, and batches are on their way', { waiting: 900, hasFullBatch: true, inFlight: 1, isHalted: true }, 'wait'],
    ['it is halted, and messages wait behind those in doubt', { waiting: 900, inDoubt: 1, isHalted: true }, 'stop'],
    ['it is halted, and a publish in doubt is still open', { waiting: 900, inDoubt: 1, isAwaited: true, isHalted: true }, 'close'],
  ])('when %s', (_, standing, step) => {
    expect(nextStep({ ...idle, ...standing })).toBe(step);
  });
});

describe('the queue of a publisher', () => {
  const budget = new PublishBudget(Number.MAX_SAFE_INTEGER);
  const message = (id: string, bytes = 10): LoneMessage =>
    new LoneMessage({ id, routingKey: id, text: '', bytes, giveUpAt: 0, due: '', use: null, budget });
  const filled = (count: number, bytes?: number): PublishQueue => {
    const queue = new PublishQueue();
    for (let index = 0; index < count; index += 1) queue.add(message(String(index), bytes));
    return queue;
  };

  it.each([[255, 10, false], [256, 10, true], [3, MAX_BATCH_BYTES / 4, false], [4, MAX_BATCH_BYTES / 4, true]])('with %i messages of %i bytes has a full batch: %s', (count, bytes, isFull) => {
    expect(filled(count, bytes).hasFullBatch).toBe(isFull);
  });

  it('makes batches of as many as fit, and of one at the least', () => {
    expect(filled(300).take()).toHaveLength(256);
    expect(filled(300).take(7)).toHaveLength(7);
    expect(filled(9, MAX_BATCH_BYTES / 4).take()).toHaveLength(4);
    expect(filled(2, MAX_BATCH_BYTES + 1).take()).toHaveLength(1);
  });

  it('gives messages that were put back before all others, in their order', () => {
    const queue = filled(5);
    const first = queue.take(2);
    queue.add(message('new'));
    queue.putBack(first);
    expect(queue.take().map(({ id }) => id)).toEqual(['0', '1', '2', '3', '4', 'new']);
    expect([queue.length, queue.hasFullBatch]).toEqual([0, false]);
  });
});

describe('the numbers of a producer', () => {
  it('go on from where they were taken back', () => {
    const producer = new Producer();
    expect([producer.take(), producer.take(), producer.take()]).toEqual([1, 2, 3]);
    producer.confirm(1);
    producer.takeBack(2);
    expect([producer.take(), producer.confirmed]).toEqual([2, 1]);
  });

  it('begin anew, with another id, when Redis does not know the producer', () => {
    const producer = new Producer();
    const { id } = producer;
    producer.confirm(producer.take());
    producer.renew();
    expect([producer.take(), producer.confirmed, producer.id === id]).toEqual([1, 0, false]);
  });
});

describe('an answer of Redis', () => {
  const failed = (kind: RedisFailure['kind']) => ({ kind: 'failed', error: new RedisFailure(kind, 'why', undefined) }) as const;

  it.each([
    ['+7', { kind: 'stored', reply: '+7', unconfirmed: null }], ['GAP 12', { kind: 'gap', last: 12 }], ['FULL', { kind: 'full' }],
    ['UNCLAIMED', { kind: 'unclaimed' }], ['UNDECLARED', { kind: 'undeclared' }], ['STALE', { kind: 'stale' }],
    ['+7\n=3 id', { kind: 'stored', reply: '+7\n=3 id', unconfirmed: null }],
  ])('%j to a batch', (reply, answer) => {
    expect(answerOf(reply, null)).toEqual(answer);
  });

  it('to batches in doubt says which of them are stored', () => {
    expect(closingOf(['+1', '-'], null)).toEqual({ kind: 'closed', replies: ['+1', null], unconfirmed: null });
    expect([closingOf('GAP 0', null), closingOf('STALE', null)]).toEqual([{ kind: 'gap', last: 0 }, { kind: 'stale' }]);
  });

  it('that is missing leaves a batch in doubt only where it may have arrived', () => {
    const kinds = ['unsent', 'indeterminate', 'back-pressure', 'unavailable', 'fatal'] as const;
    expect(kinds.filter((kind) => isInDoubt(failed(kind)))).toEqual(['indeterminate']);
    expect(kinds.filter((kind) => isFinal(failed(kind).error))).toEqual(['back-pressure', 'fatal']);
    expect(isFinal(new MillraceError('TOPIC_MISMATCH', 'why'))).toBe(true);
  });
});
