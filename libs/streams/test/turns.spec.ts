import { afterEach, describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, listen, topicOf } from '@millrace/core';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { Numbered } from './topics.js';

const bed = new Bed('turns');
const heard: (() => void)[] = [];
afterEach(() => heard.splice(0).forEach((stop) => stop()));

const PARTITIONS = topicOf(Numbered).partitions;

/** A message key for each partition, which leads there. */
async function keys(): Promise<string[]> {
  const { publisher } = await bed.start();
  const found = new Map<number, string>();
  for (let number = 0; found.size < PARTITIONS; number += 1) {
    const { partition } = await publisher.publish(Numbered, { value: -1 }, { key: `k${number}` });
    found.set(partition, `k${number}`);
  }
  return Array.from({ length: PARTITIONS }, (_, partition) => found.get(partition)!);
}

/** Resolves when a loop has reported a key of the wrong type. */
function reported(loop: string): Promise<void> {
  const failed = signal();
  heard.push(listen('loop-failed', (event) => event.loop === loop && event.error.message.includes('WRONGTYPE') && failed.fire()));
  return failed.promise;
}

describe('a partition whose keys are damaged', () => {
  it('does not keep members from joining, nor other partitions from their retries', async () => {
    const [first, ...others] = await keys();
    const process = await bed.start();
    const failed = reported('tend');
    await bed.command('SET', bed.place(Numbered, 'g', 0).groupKeys.due, 'in the way');
    const again = signal<number[]>();
    const seen: number[] = [];
    const retry = { attempts: 2, backoff: fixed('5ms'), deadLetterOn: [] };
    const target = { topic: Numbered, group: 'g', retry, start: 'latest' } as const;
    await subscribe(process, target, async ({ value }: Numbered, ctx: DeliveryContext) => {
      if (value < 0) return;
      if (ctx.attempt === 1) throw new Error('once');
      seen.push(value);
      if (seen.length === others.length) again.fire(seen);
    });
    await failed;
    for (const [value, key] of others.entries()) await process.publisher.publish(Numbered, { value }, { key });
    expect((await again.promise).sort()).toEqual(others.map((_, index) => index));
    await bed.command('DEL', bed.place(Numbered, 'g', 0).groupKeys.due);
    await process.publisher.publish(Numbered, { value: 9 }, { key: first! });
    await bed.drained(process, Numbered, 'g');
    expect(seen).toContain(9);
  });

  it('does not delay the messages of other partitions', async () => {
    const [, ...others] = await keys();
    const [process, due] = [await bed.start(), signal()];
    const seen = new Set<number>();
    await subscribe(process, { topic: Numbered, group: 'g' }, async ({ value }: Numbered) => {
      seen.add(value);
      if (others.every((_, index) => seen.has(index))) due.fire();
    });
    const failed = reported('promote-delayed');
    await bed.command('SET', bed.place(Numbered, 'g', 0).keys.delayed, 'in the way');
    for (const [value, key] of others.entries()) await process.publisher.publish(Numbered, { value }, { key, delay: '20ms' });
    await failed;
    await due.promise;
    await bed.command('DEL', bed.place(Numbered, 'g', 0).keys.delayed);
  });
});
