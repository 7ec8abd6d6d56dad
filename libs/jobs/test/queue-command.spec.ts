import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TcpProxy, uniqueName, waitFor } from '@millrace/testing';
import { Queue } from 'bullmq';
import { bullConnection, OperatedQueue, watchQueue } from '../src/index.js';
import { runCommand } from '../src/queue/queue-command.js';
import { JobsFixture } from './jobs-fixture.js';

interface Counter {
  readonly status: string;
  incr(key: string): Promise<number>;
  get(key: string): Promise<string | null>;
}

let fixture: JobsFixture;
let proxy: TcpProxy;
let queue: Queue;
let key = '';
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
beforeEach(async () => {
  key = uniqueName('counted');
  proxy = await TcpProxy.start(fixture.redis.url);
  queue = new Queue('emails', { connection: bullConnection({ url: proxy.url }, 'queue'), prefix: fixture.prefix });
  watchQueue(queue);
  await queue.waitUntilReady();
});
afterEach(async () => {
  const client = await counter(queue);
  // A queue that is closed while it connects again keeps a timer for a while.
  await waitFor(() => client.status === 'ready', { what: 'the queue to be connected' });
  await queue.close();
  await proxy.stop();
  await fixture.clear();
});
afterAll(() => fixture.stop());

async function counter(of: Queue): Promise<Counter> {
  return (await of.getBackend().client) as unknown as Counter;
}

/** Counts in Redis how often it is executed. */
async function count(options: { readonly isOnce?: boolean; readonly writes: boolean }): Promise<number> {
  const redis = await counter(queue);
  return runCommand({ queue, where: 'count', run: () => redis.incr(key), ...options });
}

async function counted(): Promise<number> {
  return Number(await (await counter(fixture.queue('emails'))).get(key));
}

/** Ends when the command was executed, and its reply was lost. */
async function losingReply(): Promise<void> {
  await proxy.dropReplies();
  await proxy.pass();
}

describe('a command of a queue whose reply is lost', () => {
  it('is sent again', async () => {
    const [lost, answer] = [losingReply(), count({ writes: false })];
    await lost;
    expect([await answer, await counted()]).toEqual([2, 2]);
  });

  it.each([
    [false, 'REDIS_UNREACHABLE'], [true, 'PUBLISH_INDEFINITE'],
  ])('is not sent again when it is for once, and the caller is told; it writes: %j', async (writes, code) => {
    const [lost, answer] = [losingReply(), count({ isOnce: true, writes })];
    await Promise.all([lost, expect(answer).rejects.toMatchObject({ code })]);
    expect(await counted()).toBe(1);
  });

  it('is of an operator, who is told so: the action may have been done', async () => {
    const [lost, paused] = [losingReply(), new OperatedQueue(queue).pause()];
    await Promise.all([lost, expect(paused).rejects.toMatchObject({ kind: 'indeterminate' })]);
    expect(await fixture.queue('emails').isPaused()).toBe(true);
  });
});

describe('a command of a queue for once', () => {
  it('waits for a connection, and is executed then', async () => {
    const client = await counter(queue);
    await proxy.refuse();
    await waitFor(() => client.status !== 'ready', { what: 'the queue to miss its connection' });
    const answer = count({ isOnce: true, writes: false });
    await proxy.pass();
    expect([await answer, await counted()]).toEqual([1, 1]);
  });
});
