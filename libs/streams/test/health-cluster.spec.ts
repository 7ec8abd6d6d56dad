import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Subscription, topicOf } from '@millrace/core';
import { slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';
import { partitionKeys } from '../src/keys.js';
import { type Process, startProcessAt, subscribe } from './fixture.js';
import { numbers, Wide } from './topics.js';

const WAIT = { timeoutMs: 30_000 };

let site: ClusterSite;
beforeAll(async () => void (site = await ClusterSite.start({ appendonly: 'always' })));
afterAll(() => site.stop());

it('each member of an ordered group has a problem while a node is away, and none once a replica has its place', async () => {
  const prefix = uniqueName('health');
  const start = (): Promise<Process<Topology>> => startProcessAt(site.target, { prefix, leaseMs: 10_000 });
  const processes = [await start(), await start()];
  const handled = new Set<number>();
  const owners = new Map<number, number>();
  const join = (index: number): Promise<Subscription> => {
    const onAssigned = ({ partition }: { partition: number }): void => void owners.set(partition, index);
    const target = { topic: Wide, group: 'g', ordering: { by: 'key' as const }, onAssigned };
    return subscribe(processes[index]!, target, async ({ value }: { value: number }) => void handled.add(value));
  };
  const subscriptions = [await join(0), await join(1)];
  const problems = (): (string | null)[] => subscriptions.map((subscription) => subscription.problem());
  const publishAll = async (): Promise<void> => {
    handled.clear();
    await processes[0]!.publisher.publishMany(Wide, numbers(60));
    await waitFor(() => handled.size === 60, { what: 'all to be handled', ...WAIT });
  };
  await publishAll();
  await waitFor(() => new Set(owners.values()).size === 2, { what: 'each to own partitions', ...WAIT });
  expect(problems()).toEqual([null, null]);

  const victim = await site.cluster.primaryOf(slotOf(partitionKeys(prefix, topicOf(Wide).name, 0).log));
  await victim.kill();
  await waitFor(() => !problems().includes(null), { what: 'each to have a problem', ...WAIT });
  await waitFor(() => problems().every((problem) => problem === null), { what: 'the problems to be gone', ...WAIT });
  expect(victim.isRunning).toBe(false);
  await publishAll();
  expect(problems()).toEqual([null, null]);
  await Promise.all(processes.map((process) => process.stop()));
}, 120_000);
