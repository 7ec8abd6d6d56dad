import { beforeAll, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { numbers, Single, Wide } from './topics.js';

/** A node of a cluster refuses a script whose keys lie in several slots, or that touches one that it did not name. */
const bed = new Bed('cluster', { extra: ['--cluster-enabled', 'yes'] });

beforeAll(async () => {
  await bed.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
  await waitFor(async () => String(await bed.command('CLUSTER', 'INFO')).includes('cluster_state:ok'), { what: 'the cluster to be up', timeoutMs: 30_000 });
});

it('every script keeps to one slot: claim, publish, handle, retry, dead-letter, reclaim, release, inspect, audit, redrive, pause, seek, remove', async () => {
  const start = (): ReturnType<Bed['start']> => bed.start({ leaseMs: 1_500 });
  const [publisher, victim, member] = [await start(), await start(), await start()];
  const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };
  await subscribe(victim, { topic: Single, group: 'g', concurrency: 2 }, () => new Promise(() => undefined));
  const items = numbers(20).map((item) => ({ ...item, idempotencyKey: String(item.payload.value) }));
  await publisher.publisher.publishMany(Single, items);
  expect(await publisher.publisher.publishMany(Wide, items)).toHaveLength(items.length);
  await waitFor(async () => (await bed.pending(Single, 'g')).length === 2, { what: 'the victim to hold two' });
  victim.vanish();
  const subscription = await subscribe(member, { topic: Single, group: 'g', retry }, async ({ value }: { value: number }, ctx: DeliveryContext) => {
    if (value === 0 || (value === 1 && ctx.attempt === 1)) throw new Error('as planned');
  });
  await bed.drained(publisher, Single, 'g');
  expect(await bed.state(publisher, Single, 'g')).toMatchObject({ handled: 19, deadLettered: 1, redelivered: 2, lag: 0 });
  expect(await publisher.streams.deadLetters.redrive(Single, 'g', { all: true })).toMatchObject({ redriven: 1 });
  await bed.drained(publisher, Single, 'g');
  expect(await publisher.streams.groups.seek(Single, 'g', { to: { offset: 10 } })).toMatchObject([{ again: 10 }]);
  await bed.drained(publisher, Single, 'g');
  await subscription.stop(5_000);
  expect(await bed.state(publisher, Single, 'g')).toMatchObject({ handled: 29, deadLettered: 2, lost: 0, lag: 0 });
  expect(await publisher.streams.groups.remove(Single, 'g')).toMatchObject({ group: 'g', deadLetters: 1 });
  expect(await publisher.streams.topics.remove(Wide)).toMatchObject({ messages: 20 });
});
