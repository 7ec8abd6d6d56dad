import { describe, expect, it } from '@jest/globals';
import { type LocalServer, onServer, slotOf } from '@millrace/redis';
import { inboxKey, instanceKey, registryKeys, requestsKey } from '@millrace/rpc';
import { ClusterSite, SentinelSite, waitFor } from '@millrace/testing';
import { call, SERVICE } from './rpc-ground.js';
import { SiteGround } from './site-ground.js';
import { Traffic } from './traffic.js';

/** An instance is not silent for so long while its Redis changes. */
const LEASE_MS = 8_000;
const POLL_MS = 500;

async function startTraffic(ground: SiteGround, mayLose = false): Promise<Traffic> {
  const options = { leaseMs: LEASE_MS, registryPollMs: POLL_MS };
  const [caller, ...servers] = [await ground.start(options), await ground.start(options), await ground.start(options)];
  return Traffic.start(caller, servers, mayLose);
}

/** A process that knows nothing yet finds all instances, and is answered. */
async function areFound(ground: SiteGround, members: readonly string[]): Promise<void> {
  const fresh = await ground.start({ leaseMs: LEASE_MS, registryPollMs: POLL_MS });
  await fresh.rpc.instances.use(SERVICE.service);
  const areThere = (): boolean => {
    expect(fresh.rpc.instances.instances(SERVICE).map(({ member }) => member)).toEqual([...members].sort());
    return true;
  };
  await waitFor(areThere, { what: 'all instances to be found', timeoutMs: 30_000 });
  // The next primary may lack the stream of an instance, which makes it again.
  const answers = (instance: string): Promise<unknown> => call(fresh, 'echo', { payloadJson: '"new"', instance }).catch(() => null);
  for (const instance of members) {
    await waitFor(async () => (await answers(instance)) === '"new"', { what: 'each instance to answer', timeoutMs: 30_000 });
  }
}

describe('calls in a Cluster', () => {
  const ground = new SiteGround('failovers', () => ClusterSite.start({ appendonly: 'always' }));

  const keysOf = ({ inbox, members }: Traffic): string[] => {
    const { prefix } = ground;
    const own = instanceKey(prefix, members[0]!);
    return [requestsKey(prefix, SERVICE), inboxKey(prefix, inbox), registryKeys(prefix).instances, own];
  };

  async function elsewhere(slot: number): Promise<LocalServer> {
    const { cluster } = ground.site;
    const owner = await cluster.primaryOf(slot);
    return (await cluster.primaries()).find((node) => node !== owner)!;
  }

  async function promoted(gone: LocalServer, slot: number): Promise<void> {
    const { cluster } = ground.site;
    const isThere = async (): Promise<boolean> => (await cluster.primaryOf(slot)) !== gone;
    await waitFor(isThere, { what: 'a replica to be promoted', timeoutMs: 30_000 });
  }

  it('are all answered, and executed once, while every slot moves that they use', async () => {
    const traffic = await startTraffic(ground);
    for (const slot of keysOf(traffic).map(slotOf)) {
      const home = await ground.site.cluster.primaryOf(slot);
      await ground.site.cluster.migrate([slot], await elsewhere(slot));
      await traffic.answeredMore();
      await ground.site.cluster.migrate([slot], home);
    }
    await traffic.answeredMore();
    expect(await traffic.ended()).toEqual({ repeatable: 0, notes: 0 });
    expect(traffic.executed).toHaveLength(new Set(traffic.executed).size);
    await areFound(ground, traffic.members);
  });

  it('are all answered, and executed once, while a slot that they use is between two nodes', async () => {
    const { cluster } = ground.site;
    const traffic = await startTraffic(ground);
    for (const slot of keysOf(traffic).map(slotOf)) {
      const to = await elsewhere(slot);
      await cluster.beginMigration(slot, to);
      await traffic.answeredMore();
      await cluster.moveKeys(slot, to);
      await traffic.answeredMore();
      await cluster.finishMigration(slot, to);
    }
    await traffic.answeredMore();
    expect(await traffic.ended()).toEqual({ repeatable: 0, notes: 0 });
    expect(traffic.executed).toHaveLength(new Set(traffic.executed).size);
    await areFound(ground, traffic.members);
  });

  it('are all answered, and executed once, through planned failovers', async () => {
    const { cluster } = ground.site;
    const traffic = await startTraffic(ground);
    for (const primary of await cluster.primaries()) {
      const [replica] = await cluster.replicasOf(primary);
      await cluster.failover(replica!);
      await traffic.answeredMore();
      await cluster.whenOk();
    }
    expect(await traffic.ended()).toEqual({ repeatable: 0, notes: 0 });
    expect(traffic.executed).toHaveLength(new Set(traffic.executed).size);
    await areFound(ground, traffic.members);
  });

  it.each([
    ['requests', 'killed'], ['answers', 'killed'], ['registry', 'killed'], ['requests', 'frozen'],
  ] as const)('settle once each, in time, and are answered where they may be repeated, when the primary with the %s is %s', async (part, how) => {
    const { cluster } = ground.site;
    const traffic = await startTraffic(ground);
    const slot = slotOf(keysOf(traffic)[['requests', 'answers', 'registry'].indexOf(part)]!);
    const primary = await cluster.primaryOf(slot);
    if (how === 'killed') await primary.kill();
    else primary.freeze();
    await promoted(primary, slot);
    await traffic.answeredMore();
    if (how === 'killed') await primary.restart();
    else primary.thaw();
    await cluster.whenOk();
    await traffic.answeredMore();
    expect(await traffic.ended()).toMatchObject({ repeatable: 0 });
    // One that wakes may take what it is given before it hears of its successor.
    if (how === 'killed') expect(traffic.executed).toHaveLength(new Set(traffic.executed).size);
    await areFound(ground, traffic.members);
  });

  /** From now on the replica of this primary learns nothing more. @returns kills the primary, so that the replica is promoted */
  async function cutReplication(primary: LocalServer): Promise<() => Promise<LocalServer>> {
    const { cluster } = ground.site;
    const [replica] = (await cluster.replicasOf(primary)) as [LocalServer];
    replica.freeze();
    await onServer(primary, (run) => run('CLIENT', 'KILL', 'TYPE', 'replica'));
    return async () => {
      await primary.kill();
      replica.thaw();
      return replica;
    };
  }

  it('find all instances again whose entries the next primary does not have', async () => {
    const { instances } = registryKeys(ground.prefix);
    const primary = await ground.site.cluster.primaryOf(slotOf(instances));
    const failOver = await cutReplication(primary);
    const traffic = await startTraffic(ground, true);
    expect(await ground.on(instances, 'HLEN')).toBe(traffic.members.length);
    const next = await failOver();
    const known = await onServer(next, async (run) => [await run('READONLY'), await run('EXISTS', instances)]);
    expect(known).toEqual(['OK', 0]);
    await promoted(primary, slotOf(instances));
    const isWhole = async (): Promise<boolean> => (await ground.on(instances, 'HLEN')) === traffic.members.length;
    await waitFor(isWhole, { what: 'all instances to have registered again', timeoutMs: 60_000 });
    await areFound(ground, traffic.members);
    await traffic.answeredMore();
    // A caller that looks before the instances are back is told so at once.
    await traffic.ended('NO_INSTANCE');
    await primary.restart();
    await ground.site.cluster.whenOk();
  });

  it('are answered in an inbox whose next primary gives lower ids than the last one that was read', async () => {
    const traffic = await startTraffic(ground, true);
    const inbox = inboxKey(ground.prefix, traffic.inbox);
    const primary = await ground.site.cluster.primaryOf(slotOf(inbox));
    const failOver = await cutReplication(primary);
    // As if the clock of this primary were ahead.
    await ground.on(inbox, 'XSETID', `${Date.now() + 600_000}-0`);
    await traffic.answeredMore();
    await failOver();
    await promoted(primary, slotOf(inbox));
    await traffic.answeredMore();
    await traffic.ended();
    await primary.restart();
    await ground.site.cluster.whenOk();
  });
});

describe('calls behind Sentinels', () => {
  const ground = new SiteGround('failovers', () => {
    return SentinelSite.start({ appendonly: 'always', replicas: 2, extra: ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'] });
  });

  it.each(['killed', 'frozen', 'replaced as planned'] as const)('settle once each, in time, when the primary is %s', async (how) => {
    const { all } = ground.site;
    const traffic = await startTraffic(ground, true);
    const primary = await all.whoIsPrimary();
    if (how === 'killed') await primary.kill();
    else if (how === 'frozen') primary.freeze();
    else await all.failover();
    await all.untilPrimaryIsNot(primary);
    await traffic.answeredMore();
    if (how === 'killed') await primary.restart();
    if (how === 'frozen') primary.thaw();
    await all.whenOk();
    await traffic.answeredMore();
    await traffic.ended();
    await areFound(ground, traffic.members);
  });
});
