import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { listen, Publisher } from '@millrace/core';
import { connectServer, type StandaloneTopology, type Topology } from '@millrace/redis';
import { createStreams, type Streams } from '@millrace/streams';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { Single } from './topics.js';

const LEASE_MS = 900;
const bed = new Bed('presence-away');
let presenceNode: TestRedis;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => void (presenceNode = await startTestRedis()));
afterEach(async () => {
  presenceNode.resume();
  for (const end of ends.splice(0)) await end();
  await presenceNode.stop();
});

/** Two servers, one of which has the presences and nothing else, as a node of a Cluster may. */
function split(topics: StandaloneTopology, presences: StandaloneTopology): Topology {
  const serverOf = (key: string): StandaloneTopology => (key.includes('{presence}') ? presences : topics);
  return {
    server: topics.server,
    publishFor: (key) => serverOf(key).publish,
    controlFor: (key) => serverOf(key).control,
    waitingFor: (key, purpose) => serverOf(key).waitingFor(key, purpose),
    blockingFor: (key, purpose) => serverOf(key).blockingFor(key, purpose),
    listening: (purpose) => topics.listening(purpose),
    primaries: () => [topics, presences].flatMap((each) => each.primaries()),
    ping: async () => {
      await Promise.all([topics.ping(), presences.ping()]);
    },
    close: () => [topics, presences].forEach((each) => each.close()),
  };
}

async function start(): Promise<{ streams: Streams }> {
  const redis = split(await connectServer({ url: bed.url }), await connectServer({ url: presenceNode.url }));
  const streams = createStreams({ redis, prefix: bed.prefix, leaseMs: LEASE_MS });
  ends.push(async () => {
    await streams.stop(200);
    redis.close();
  });
  return { streams };
}

it('the node that holds presence is away for leases: nobody counts as dead, nothing begins, and all goes on when it is back', async () => {
  const reclaimed: unknown[] = [];
  ends.push(async () => stop());
  const stop = listen('reclaimed', (event) => void reclaimed.push(event));
  const gate = signal();
  const begun: number[] = [];
  const handle = async ({ value }: { value: number }): Promise<void> => {
    begun.push(value);
    if (value < 2) await gate.promise;
  };
  const members = [await start(), await start()];
  for (const member of members) await subscribe(member, { topic: Single, group: 'g', concurrency: 2 }, handle);
  const publisher = new Publisher(members[0]!.streams);
  await publisher.publishMany(Single, [0, 1].map((value) => ({ payload: { value } })));
  await waitFor(() => begun.length === 2, { what: 'both to begin' });
  presenceNode.pause();
  await wait(LEASE_MS);
  await publisher.publish(Single, { value: 2 });
  await wait(3 * LEASE_MS);
  expect([begun.sort(), reclaimed]).toEqual([[0, 1], []]);
  presenceNode.resume();
  await waitFor(() => begun.includes(2), { what: 'the next one to begin' });
  gate.fire();
  await waitFor(async () => (await members[0]!.streams.inspector.group(Single, 'g')).lag === 0, { what: 'nothing to be left' });
  expect(await members[0]!.streams.inspector.group(Single, 'g')).toMatchObject({ handled: 3, redelivered: 0, deadLettered: 0, fenced: 0 });
  expect([begun, reclaimed]).toEqual([[0, 1, 2], []]);
});
