import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, Topic, topicOf } from '@millrace/core';
import { type LocalServer, slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { groupPartition } from '../src/consume/group-partition.js';
import { presenceKey } from '../src/keys.js';
import { type Process, startProcessAt, subscribe } from './fixture.js';

@Topic<Spread>('test.spread', { key: ({ value }) => String(value), partitions: 12 })
class Spread {
  @IsInt() value!: number;
}

const SOME = 60;
const retry = { attempts: 5, backoff: fixed('10ms'), deadLetterOn: [] };

let site: ClusterSite;
let prefix: string;
let victim: LocalServer;
const processes: Process<Topology>[] = [];

beforeAll(async () => {
  site = await ClusterSite.start({ replicas: 0, extra: ['--cluster-require-full-coverage', 'no'], appendonly: 'always' });
});
beforeEach(async () => {
  prefix = uniqueName('away');
  const presence = await site.cluster.primaryOf(slotOf(presenceKey(prefix, 'm')));
  // The node of partition 0, which knows the members of a group, unless it has the presences.
  const first = await site.cluster.primaryOf(slotOf(groupPartition(prefix, { topic: topicOf(Spread).name, partition: 0 }, 'g').keys.log));
  victim = first === presence ? site.cluster.nodes.find((node) => node !== presence)! : first;
});
afterEach(async () => {
  if (victim.isFrozen) victim.thaw();
  if (!victim.isRunning) await victim.restart();
  await site.cluster.whenOk();
  for (const process of processes.splice(0)) await process.stop();
});
afterAll(() => site.stop());

async function start(): Promise<Process<Topology>> {
  const process = await startProcessAt(site.target, { prefix, leaseMs: 30_000 });
  processes.push(process);
  return process;
}

async function isAway(partition: number): Promise<boolean> {
  const { keys } = groupPartition(prefix, { topic: topicOf(Spread).name, partition }, 'g');
  return (await site.cluster.primaryOf(slotOf(keys.log)).catch(() => victim)) === victim;
}

it.each([
  ['shared', 'kill'], ['shared', 'freeze'], ['ordered', 'kill'], ['ordered', 'freeze'],
] as const)('one node of three is away: in %s mode (%s) the partitions of the others are published to, handled and retried', async (mode, fault) => {
  const [{ publisher }, member] = [await start(), await start()];
  const attempts = new Map<number, number>();
  const handled = new Set<number>();
  const order = mode === 'ordered' ? { ordering: { by: 'key' as const } } : {};
  const handle = async ({ value }: { value: number }, { attempt }: DeliveryContext): Promise<void> => {
    attempts.set(value, attempt);
    if (value % 3 === 0 && attempt < 3) throw new Error('as planned');
    handled.add(value);
  };
  await subscribe(member, { topic: Spread, group: 'g', concurrency: 4, retry, ...order }, handle);
  const receipts = await publisher.publishMany(Spread, Array.from({ length: SOME }, (_, value) => ({ payload: { value } })));
  await waitFor(() => handled.size === SOME, { what: 'all to be handled at first', timeoutMs: 30_000 });
  const awayOf = await Promise.all(receipts.map((receipt) => isAway((receipt as { partition: number }).partition)));
  const valuesOf = (away: boolean): number[] => awayOf.flatMap((is, value) => (is === away ? [value] : []));
  const [others, own] = [valuesOf(false), valuesOf(true)];
  expect([others.length > 10, own.length > 5]).toEqual([true, true]);
  handled.clear();

  if (fault === 'kill') await victim.kill();
  else victim.freeze();
  const late = await Promise.all(others.map((value) => publisher.publish(Spread, { value }, value % 2 === 0 ? { delay: '20ms' } : {})));
  expect(late).toHaveLength(others.length);
  await waitFor(() => others.every((value) => handled.has(value)), { what: 'the others to be handled', timeoutMs: 40_000 });
  expect(victim.isFrozen || !victim.isRunning).toBe(true);

  if (fault === 'kill') await victim.restart();
  else victim.thaw();
  await site.cluster.whenOk();
  await Promise.all(own.map((value) => publisher.publish(Spread, { value })));
  await waitFor(() => handled.size === SOME, { what: 'all to be handled', timeoutMs: 30_000 });
  expect([...attempts].filter(([value, attempt]) => attempt !== (value % 3 === 0 ? 3 : 1))).toEqual([]);
}, 120_000);
