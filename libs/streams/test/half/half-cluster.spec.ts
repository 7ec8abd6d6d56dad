import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { replicated, type TopicDefinition, topicOf } from '@millrace/core';
import { type LocalServer, slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';
import { halfIndexKey, partitionKeys } from '../../src/keys.js';
import { type Process, startProcessAt, subscribe } from '../fixture.js';
import { Grown, upTo } from '../raise/grown.js';
import { Wide } from '../topics.js';
import { check } from './checked.js';

const WAIT = { timeoutMs: 30_000 };
const COUNT = 60;

let site: ClusterSite;
let prefix: string;
const processes: Process<Topology>[] = [];

beforeAll(async () => {
  site = await ClusterSite.start({ appendonly: 'always' });
});
beforeEach(() => void (prefix = uniqueName('half')));
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.stop()));
  await site.cluster.whenOk();
});
afterAll(() => site.stop());

async function start(): Promise<Process<Topology>> {
  const process = await startProcessAt(site.target, { prefix, leaseMs: 2_000, publishDeadlineMs: 30_000 });
  processes.push(process);
  return process;
}

function isEmpty(process: Process<Topology>, topic: typeof Wide | typeof Grown): Promise<unknown> {
  return waitFor(async () => (await process.streams.halves.state(topic)).stored === 0, { what: 'all half messages to end', ...WAIT });
}

async function handledBy(process: Process<Topology>, topic: typeof Wide | typeof Grown): Promise<number[]> {
  const values: number[] = [];
  await subscribe(process, { topic, group: 'all' }, async (payload: { value?: number; thing?: number }) => values.push(payload.value ?? payload.thing!));
  return values;
}

describe('half messages in a Redis Cluster', () => {
  it('are committed, rolled back and checked, though their index is on another node', async () => {
    const [process, doomed] = [await start(), await start()];
    const handled = await handledBy(process, Wide);
    const topic: TopicDefinition = topicOf(Wide);
    const nodeOf = (key: string): Promise<LocalServer> => site.cluster.primaryOf(slotOf(key));
    const nodes = await Promise.all(upTo(16).map((partition) => nodeOf(partitionKeys(prefix, topic.name, partition).halves)));
    const ofIndex = await nodeOf(halfIndexKey(prefix, topic.name));
    expect(nodes.some((node) => node.port !== ofIndex.port)).toBe(true);
    for (const value of upTo(COUNT)) {
      const half = await (value % 3 === 2 ? doomed : process).publisher.publishHalf(Wide, { value }, { checkAfter: '1s', idempotencyKey: `k${value}` });
      if (value % 3 === 0) await half.commit();
      if (value % 3 === 1) await half.rollback();
    }
    doomed.vanish();
    await check(process, Wide, ({ value }: Wide) => (value % 2 === 0 ? 'commit' : 'rollback'));
    await isEmpty(process, Wide);
    const expected = upTo(COUNT).filter((value) => value % 3 === 0 || (value % 3 === 2 && value % 2 === 0));
    await waitFor(() => handled.length >= expected.length, { what: 'all committed messages to be handled', ...WAIT });
    expect(handled.sort((one, other) => one - other)).toEqual(expected);
  });

  it('are published where they belong after a raise, whoever decides', async () => {
    const [process, doomed] = [await start(), await start()];
    const halves = [];
    for (const thing of upTo(24)) {
      halves.push(await (thing % 2 === 0 ? process : doomed).publisher.publishHalf(Grown, { thing, step: 1 }, { checkAfter: '1s' }));
    }
    await process.streams.topics.raisePartitions(Grown, { from: 2, to: 4 });
    doomed.vanish();
    for (const [thing, half] of halves.entries()) if (thing % 2 === 0) await half.commit();
    await process.streams.declare(topicOf(Grown));
    const handled = await handledBy(process, Grown);
    await check(process, Grown, () => 'commit');
    await isEmpty(process, Grown);
    await waitFor(() => handled.length >= 24, { what: 'all messages to be handled', ...WAIT });
    expect(handled.sort((one, other) => one - other)).toEqual(upTo(24));
  });

  it('are as durable as their messages, and so is their commit', async () => {
    const process = await start();
    const half = await process.publisher.publishHalf(Wide, { value: 1 }, { durability: replicated(1, '2s') });
    expect(await half.commit()).toMatchObject({ duplicate: false });
    const tooMany = process.publisher.publishHalf(Wide, { value: 2 }, { durability: replicated(2, '50ms'), deadline: '1s' });
    await expect(tooMany).rejects.toMatchObject({ code: expect.stringMatching(/^PUBLISH_/) as unknown });
  });
});
