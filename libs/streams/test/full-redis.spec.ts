import { expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt, IsString } from 'class-validator';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

type Value = { value: number };

@Topic('test.bulky')
class Bulky {
  @IsInt() value!: number;
  @IsString() text!: string;
}

const bed = new Bed('full-redis');
const retry = { attempts: 3, backoff: fixed('5ms'), deadLetterOn: [] };

it('F15 full: successes are settled, failures wait in their process until there is room, publishes are refused', async () => {
  const process = await bed.start();
  const [began, go] = [signal(), signal()];
  let waiting = 0;
  const subscription = await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: Value, ctx: DeliveryContext) => {
    if (ctx.attempt === 1 && (waiting += 1) === 10) began.fire();
    await go.promise;
    if (value === 0) throw new Error('always');
    if (value === 1 && ctx.attempt === 1) throw new Error('once');
  });
  await process.publisher.publishMany(Single, numbers(10));
  await began.promise;
  await bed.command('CONFIG', 'SET', 'maxmemory', 1);
  try {
    await expect(process.publisher.publish(Single, { value: 99 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
    go.fire();
    await waitFor(async () => (await bed.state(process, Single, 'g')).handled === 8, { what: 'the successes to be settled' });
    await waitFor(() => subscription.problem() !== null, { what: 'the subscription to report a problem' });
    expect(await bed.state(process, Single, 'g')).toMatchObject({ retried: 0, lag: 2, retrying: 0 });
  } finally {
    await bed.command('CONFIG', 'SET', 'maxmemory', 0);
  }
  await bed.drained(process, Single, 'g');
  expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 9, deadLettered: 1, retried: 3, lag: 0 });
  expect(subscription.problem()).toBeNull();
});

it('F15 full: a failing group lets Redis grow by less than 5 %, a healthy one drains, and a stop meanwhile loses nothing', async () => {
  const [publisher, ill, well] = [await bed.start(), await bed.start(), await bed.start()];
  const go = signal();
  let failures = 0;
  const usedMemory = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(String(await bed.command('INFO', 'memory')))![1]);
  await subscribe(ill, { topic: Bulky, group: 'ill', retry: { ...retry, attempts: 1_000 } }, async () => {
    await go.promise;
    failures += 1;
    throw new Error('always');
  });
  await subscribe(well, { topic: Bulky, group: 'well', retry }, () => go.promise);
  await publisher.publisher.publishMany(Bulky, numbers(2_000).map(({ payload: { value } }) => ({ payload: { value, text: 'x'.repeat(2_000) } })));
  const before = await usedMemory();
  await bed.command('CONFIG', 'SET', 'maxmemory', before);
  try {
    go.fire();
    await bed.drained(publisher, Bulky, 'well');
    await waitFor(() => failures >= 512, { what: 'the hands of the group that fails to be full' });
    await ill.stop();
    expect((await usedMemory()) / before).toBeLessThan(1.05);
  } finally {
    await bed.command('CONFIG', 'SET', 'maxmemory', 0);
  }
  const seen = new Set<number>();
  const next = await bed.start();
  await subscribe(next, { topic: Bulky, group: 'ill', retry }, async ({ value }: Value) => void seen.add(value));
  await bed.drained(publisher, Bulky, 'ill');
  expect(seen.size).toBe(2_000);
}, 60_000);
