import { beforeAll, expect, it } from '@jest/globals';
import { Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';

@Topic('test.dropping', { retention: { maxMessages: 10, maxBytes: 1_000_000, maxAge: '1d', overflow: 'drop-oldest' } })
class Dropping {
  @IsInt() value!: number;
}

/** A node of a cluster refuses a script whose keys lie in several slots, or that touches one that it did not name. */
const bed = new Bed('upkeep-cluster', { extra: ['--cluster-enabled', 'yes'] });

beforeAll(async () => {
  await bed.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
  await waitFor(async () => String(await bed.command('CLUSTER', 'INFO')).includes('cluster_state:ok'), { what: 'the cluster to be up', timeoutMs: 30_000 });
});

it('every script keeps to one slot: publish to a full topic, trim, delay', async () => {
  const [process, member] = [await bed.start(), await bed.start()];
  const idle = await subscribe(member, { topic: Dropping, group: 'g' }, async () => undefined);
  await idle.stop(1_000);
  for (let value = 0; value < 15; value += 1) await process.publisher.publish(Dropping, { value });
  await process.publisher.publish(Dropping, { value: 15 }, { delay: '20ms' });
  const seen: number[] = [];
  await subscribe(member, { topic: Dropping, group: 'other' }, async ({ value }: { value: number }) => void seen.push(value));
  await waitFor(() => seen.includes(15), { what: 'the delayed message to be handled' });
  expect((await bed.state(process, Dropping, 'g')).lag).toBe(10);
});
