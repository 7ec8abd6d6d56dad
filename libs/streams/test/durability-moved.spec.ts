import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { fsynced, topicOf } from '@millrace/core';
import { onServer, slotOf } from '@millrace/redis';
import { ClusterSite, uniqueName } from '@millrace/testing';
import { partitionKeys } from '../src/keys.js';
import { startProcessAt } from './fixture.js';
import { Single } from './topics.js';

let site: ClusterSite;
beforeAll(async () => void (site = await ClusterSite.start({ replicas: 0, appendonly: 'always' })));
afterAll(() => site.stop());

it('a message that another node stored, to which the slot has just gone, is not called fsynced by the one that was asked', async () => {
  const prefix = uniqueName('moved');
  const process = await startProcessAt(site.target, { prefix, leaseMs: 3_000 });
  const slot = slotOf(partitionKeys(prefix, topicOf(Single).name, 0).log);
  const from = await site.cluster.primaryOf(slot);
  const to = (await site.cluster.primaries()).find((node) => node !== from)!;
  const setting = (value: string): Promise<unknown> => onServer(to, (call) => call('CONFIG', 'SET', 'appendfsync', value));
  const publish = (): Promise<unknown> => process.publisher.publish(Single, { value: 1 }, { durability: fsynced('2s') });
  await publish();
  await setting('everysec');
  await site.cluster.migrate([slot], to);
  // Where Redis can be asked for it, the node answers for itself.
  if (process.redis.server.capabilities.has('waitaof')) await publish();
  else await expect(publish()).rejects.toMatchObject({ message: expect.stringMatching(/stored.*appendfsync everysec/) });
  await setting('always');
  await publish();
  await process.stop();
});
