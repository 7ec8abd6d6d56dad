import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Job, jobOf } from '@millrace/core';
import { bullConnection, bullPrefix, closePromptly, connectQueue, JobQueue, type JobRegistration, startJobWorker, watchQueue } from '@millrace/jobs';
import { type ClusterTarget, freePort, type LocalServer, onServer, slotOf } from '@millrace/redis';
import { ClusterSite, uniqueName } from '@millrace/testing';
import { Queue } from 'bullmq';
import { IsInt } from 'class-validator';

@Job('check', { queue: 'checks' })
class Check {
  @IsInt() value!: number;
}

let site: ClusterSite;

beforeAll(async () => {
  site = await ClusterSite.start();
  for (const node of site.cluster.nodes) {
    await onServer(node, async (call) => {
      for (const [user, refused] of [['uninformed', '-cluster|info'], ['slotless', '-cluster|slots']] as const) {
        await call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', refused);
      }
    });
  }
});
afterAll(() => site.stop());

const targetAs = (username: string, password = 'secret'): ClusterTarget => ({ ...(site.target as ClusterTarget), username, password });

/** Users, and addresses, that no node serves: the code of the error, and its reason. */
const REFUSED: [string, () => ClusterTarget | Promise<ClusterTarget>, string, RegExp][] = [
  ['the user may not ask how the Cluster is', () => targetAs('uninformed'), 'REDIS_FAILED', /NOPERM.*cluster\|info/],
  ['the user may not ask for slots', () => targetAs('slotless'), 'REDIS_FAILED', /NOPERM.*cluster\|slots/],
  ['the password is wrong', () => targetAs('uninformed', 'wrong'), 'REDIS_FAILED', /WRONGPASS/],
  ['nobody is there', async () => ({ cluster: { nodes: [{ host: '127.0.0.1', port: await freePort() }] } }), 'REDIS_UNREACHABLE', /ECONNREFUSED/],
];

const registration = { definition: jobOf(Check), timeoutMs: null, handle: () => undefined } as unknown as JobRegistration;

async function startWorker(target: ClusterTarget): Promise<unknown> {
  const [connection, handlers] = [bullConnection(target, 'worker'), new Map([['check', registration]])];
  return startJobWorker({ queue: 'checks', connection, prefix: 'start', concurrency: 1, handlers });
}

async function enqueue(target: ClusterTarget): Promise<unknown> {
  const queue = new Queue('checks', { connection: bullConnection(target, 'queue'), prefix: bullPrefix('start') });
  watchQueue(queue);
  closePromptly(queue);
  return new JobQueue(() => queue).enqueue(Check, { value: 1 }).finally(() => queue.close());
}

async function connect(target: ClusterTarget): Promise<void> {
  const connection = bullConnection(target, 'queue');
  const queue = new Queue('checks', { connection, prefix: bullPrefix('start'), skipWaitingForReady: true, skipVersionCheck: true, skipMetasUpdate: true });
  watchQueue(queue);
  closePromptly(queue);
  await connectQueue(queue).finally(() => queue.close());
}

describe('on a Cluster', () => {
  it.each(REFUSED)('workers and queues say why they do not start: %s', async (_, targetOf, code, reason) => {
    const outcomes = await Promise.allSettled([startWorker, enqueue, connect].map(async (start) => start(await targetOf())));
    const refusal = { code, retryable: code === 'REDIS_UNREACHABLE', message: expect.stringMatching(reason) };
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: refusal });
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
