import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed } from '@millrace/core';
import { Bed } from './bed.js';
import { noRetry, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('timeout');
const retry = { ...noRetry, attempts: 2, backoff: fixed('1ms') };

describe('a handler that takes too long', () => {
  it('frees its slot, is tried again, and its late result is ignored', async () => {
    const process = await bed.start();
    const first = signal<DeliveryContext>();
    const late = signal();
    const handled: string[] = [];
    await subscribe(process, { topic: Single, group: 'g', concurrency: 1, retry, timeoutMs: 40 }, async ({ value }: Single, context) => {
      if (value === 0 && context.attempt === 1) {
        first.fire(context);
        await late.promise;
        throw new Error('too late');
      }
      handled.push(`${value} ${context.attempt}`);
    });
    await process.publisher.publishMany(Single, numbers(3));
    await bed.drained(process, Single, 'g');
    expect(handled.sort()).toEqual(['0 2', '1 1', '2 1']);
    expect((await first.promise).signal.reason).toMatchObject({ code: 'TIMEOUT' });
    late.fire();
    const end = await process.publisher.publish(Single, { value: 9 });
    await bed.drained(process, Single, 'g');
    expect(end.offset).toBe(3);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 4, retried: 1, deadLettered: 0, fenced: 0 });
  });

  it('is dead-lettered with TIMEOUT when all attempts do', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Single, group: 'g', retry, timeoutMs: 5 }, () => new Promise(() => undefined));
    await process.publisher.publish(Single, { value: 1 });
    await bed.drained(process, Single, 'g');
    const [dead] = await bed.deadLetters(process, Single, 'g');
    expect(dead).toMatchObject({ reason: 'ATTEMPTS_EXHAUSTED', attempts: 2, error: { code: 'TIMEOUT' } });
  });
});
