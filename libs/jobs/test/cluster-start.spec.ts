import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Job, jobOf } from '@millrace/core';
import { bullConnection, bullPrefix, closePromptly, connectQueue, JobQueue, type JobRegistration, type JobWorker, startJobWorker, watchQueue } from '@millrace/jobs';
import { type ClusterTarget, freePort, LocalServer, onServer, slotOf } from '@millrace/redis';
import { ClusterSite, testBinary, uniqueName, waitFor } from '@millrace/testing';
import { Queue } from 'bullmq';
import { IsInt } from 'class-validator';
import { Signal } from './jobs-fixture.js';

@Job('check', { queue: 'checks' })
class Check {
  @IsInt() value!: number;
}

let site: ClusterSite;
/** Nodes of no other Cluster: one has a part of the slots, one has none. */
let broken: LocalServer;
let empty: LocalServer;
/** The one node of a Cluster. */
let alone: LocalServer;

beforeAll(async () => {
  site = await ClusterSite.start();
  broken = await LocalServer.start({ binary: await testBinary(), isClusterNode: true });
  empty = await LocalServer.start({ binary: await testBinary(), isClusterNode: true });
  alone = await LocalServer.start({ binary: await testBinary(), isClusterNode: true });
  await onServer(broken, (call) => call('CLUSTER', 'ADDSLOTSRANGE', 0, 100));
  await onServer(alone, (call) => call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383));
  for (const node of site.cluster.nodes) {
    await onServer(node, async (call) => {
      for (const [user, refused] of [['uninformed', '-cluster|info'], ['slotless', '-cluster|slots']] as const) {
        await call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', refused);
      }
    });
  }
});
afterAll(async () => {
  await Promise.all([site.stop(), ...[broken, empty, alone].map((node) => node.stop())]);
});

const targetAt = ({ port }: LocalServer): ClusterTarget => ({ cluster: { nodes: [{ host: '127.0.0.1', port }] } });

const targetAs = (username: string, password = 'secret'): ClusterTarget => ({ ...(site.target as ClusterTarget), username, password });

/** Users, and addresses, that no node serves: the code of the error, and its reason. */
const REFUSED: [string, () => ClusterTarget | Promise<ClusterTarget>, string, RegExp][] = [
  ['the user may not ask how the Cluster is', () => targetAs('uninformed'), 'REDIS_FAILED', /NOPERM.*cluster\|info/],
  ['the user may not ask for slots', () => targetAs('slotless'), 'REDIS_FAILED', /NOPERM.*cluster\|slots/],
  ['the password is wrong', () => targetAs('uninformed', 'wrong'), 'REDIS_FAILED', /WRONGPASS/],
  ['slots have no node', () => targetAt(broken), 'REDIS_UNREACHABLE', /CLUSTERDOWN cluster_state:fail/],
  ['no node has slots', () => targetAt(empty), 'REDIS_UNREACHABLE', /the nodes have no slots, or announce no addresses/],
  ['nobody is there', async () => ({ cluster: { nodes: [{ host: '127.0.0.1', port: await freePort() }] } }), 'REDIS_UNREACHABLE', /ECONNREFUSED.*known here.*127\.0\.0\.1:\d+\. Start one of them, or name others in REDIS_CLUSTER_NODES/],
];

const registration = { definition: jobOf(Check), timeoutMs: null, handle: () => undefined } as unknown as JobRegistration;

async function startWorker(target: ClusterTarget, check = registration): Promise<JobWorker> {
  const [connection, handlers] = [bullConnection(target, 'worker'), new Map([['check', check]])];
  return startJobWorker({ queue: 'checks', connection, prefix: 'start', concurrency: 1, handlers });
}

async function enqueue(target: ClusterTarget, value = 1): Promise<unknown> {
  const queue = new Queue('checks', { connection: bullConnection(target, 'queue'), prefix: bullPrefix('start') });
  watchQueue(queue);
  closePromptly(queue);
  return new JobQueue(() => queue).enqueue(Check, { value }).finally(() => queue.close());
}

async function connect(target: ClusterTarget): Promise<void> {
  const connection = bullConnection(target, 'queue');
  const queue = new Queue('checks', { connection, prefix: bullPrefix('start'), skipWaitingForReady: true, skipVersionCheck: true, skipMetasUpdate: true });
  watchQueue(queue);
  closePromptly(queue);
  await connectQueue(queue).finally(() => queue.close());
}

async function announce(node: LocalServer, type: string): Promise<void> {
  await onServer(node, (call) => call('CONFIG', 'SET', 'cluster-preferred-endpoint-type', type));
}

/** Starts a worker, an enqueue and a connection, each with what it ends in. */
async function outcomesAt(target: ClusterTarget): Promise<PromiseSettledResult<unknown>[]> {
  const starts: ((target: ClusterTarget) => Promise<unknown>)[] = [startWorker, enqueue, connect];
  return Promise.allSettled(starts.map((start) => start(target)));
}

describe('on a Cluster', () => {
  const outcomes = new Map<string, readonly PromiseSettledResult<unknown>[]>();
  beforeAll(async () => {
    await Promise.all(REFUSED.map(async ([why, targetOf]) => outcomes.set(why, await outcomesAt(await targetOf()))));
  });

  it.each(REFUSED)('workers and queues say why they do not start: %s', (why, _, code, reason) => {
    const refusal = { code, retryable: code === 'REDIS_UNREACHABLE', message: expect.stringMatching(reason) };
    const each = { status: 'rejected', reason: refusal };
    expect(outcomes.get(why)).toMatchObject([each, each, each]);
  });

  it.each([
    ['alone knows no address of its own', () => targetAt(alone), () => [alone]],
    ['tells no addresses', () => site.target as ClusterTarget, () => site.cluster.nodes],
  ] as const)('jobs are done where a node %s', async (_, targetOf, nodesOf) => {
    for (const node of nodesOf()) await announce(node, node === alone ? 'ip' : 'unknown-endpoint');
    const handled = new Signal<number>();
    const handle = async (payload: object): Promise<void> => handled.give((payload as Check).value);
    const worker = await startWorker(targetOf(), { ...registration, handle });
    await enqueue(targetOf());
    expect(await handled.promise).toBe(1);
    await worker.stop(0);
    for (const node of nodesOf()) await announce(node, 'ip');
  });

  it('a worker that was told of one node alone connects again by the others while that one is away, and its slots are a replica\'s', async () => {
    const { cluster } = site;
    const slot = slotOf(`${bullPrefix('start')}:checks`);
    const owner = await cluster.primaryOf(slot);
    const others = cluster.nodes.filter((node) => node !== owner);
    const handled = [new Signal<number>(), new Signal<number>()] as const;
    const handle = async ({ value }: Check): Promise<void> => handled[value - 1]?.give(value);
    const worker = await startWorker(targetAt(owner), { ...registration, handle } as unknown as JobRegistration);
    await enqueue(targetAt(owner), 1);
    await handled[0].promise;
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    await waitFor(() => worker.problem()?.includes('has no connection'), { what: 'the worker to be without connection', timeoutMs: 30_000 });
    await Promise.all(others.map((node) => node.restart()));
    const isReplaced = async (): Promise<boolean> => (await cluster.primaryOf(slot).catch(() => owner)) !== owner;
    await waitFor(isReplaced, { what: 'a replica to be promoted', timeoutMs: 30_000 });
    await enqueue(site.target as ClusterTarget, 2);
    await waitFor(() => worker.problem() === null, { what: 'the worker to be well', timeoutMs: 30_000 });
    expect(await handled[1].promise).toBe(2);
    await worker.stop(0);
    await owner.restart();
    await cluster.whenOk();
  });

  it('takes the time of jobs from the node that has them', async () => {
    const prefix = uniqueName('clock');
    const owner = await site.cluster.primaryOf(slotOf(`${bullPrefix(prefix)}:checks`));
    for (const node of site.cluster.nodes) await onServer(node, (call) => call('CONFIG', 'RESETSTAT'));
    for (let value = 0; value < 10; value += 1) {
      const queue = new Queue('checks', { connection: bullConnection(site.target, 'queue'), prefix: bullPrefix(prefix) });
      closePromptly(queue);
      await new JobQueue(() => queue).enqueue(Check, { value }, { delay: '1h' });
      await queue.close();
    }
    expect(await timesAskedFor(owner)).toBe(10);
    const others = site.cluster.nodes.filter((node) => node !== owner);
    expect(await Promise.all(others.map(timesAskedFor))).toEqual(others.map(() => 0));
  });
});

async function timesAskedFor(node: LocalServer): Promise<number> {
  const stats = String(await onServer(node, (call) => call('INFO', 'commandstats')));
  return Number(/cmdstat_time:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}
