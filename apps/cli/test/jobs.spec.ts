import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createAdmin } from '@millrace/admin';
import { openQueue, type Queue, QueueDirectory } from '@millrace/jobs';
import { CliBed, rowsOf } from './cli-bed.js';
import { onTerminal } from './fake-terminal.js';
import { TableServer } from './table-server.js';

const bed = new CliBed('jobs');
let queue: Queue;
let directory: QueueDirectory;
let server: TableServer;
beforeEach(async () => {
  const { redis, prefix, streams, rpc } = bed;
  const place = { target: { url: bed.server.url }, prefix };
  queue = await openQueue('mails', place);
  directory = new QueueDirectory({ redis, ...place });
  const admin = createAdmin({ redis, prefix, streams, rpc, queues: directory });
  server = await TableServer.start(() => admin, 'ann');
});
afterEach(async () => {
  await server.stop();
  await directory.close();
  await queue.close();
});

const NEVER = '0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b';

/** A job that failed, one that waits, and one that is delayed. */
async function fill(): Promise<void> {
  await queue.add('send', { number: 1 }, { jobId: 'failed-1', attempts: 1 });
  await fail('failed-1');
  await queue.add('send', { number: 2 }, { jobId: 'waiting-1' });
  await queue.add('send', { number: 3 }, { jobId: 'delayed-1', delay: 3_600_000 });
  await queue.addJobLog('failed-1', 'a line');
}

/** As a worker whose handler fails. */
async function fail(id: string): Promise<void> {
  const key = `{${bed.prefix}}:mails:`;
  await bed.command('LREM', `${key}wait`, 0, id);
  await bed.command('ZADD', `${key}failed`, Date.now(), id);
  await bed.command('HSET', `${key}${id}`, 'finishedOn', Date.now(), 'failedReason', 'on fire', 'atm', 1);
}

describe('millrace jobs', () => {
  it('lists queues, and jobs of one in a state', async () => {
    await fill();
    expect(rowsOf((await bed.run(['jobs', 'ls'])).stdout)).toMatchObject([{ QUEUE: 'mails', PAUSED: 'no', WAITING: '1', DELAYED: '1', FAILED: '1' }]);
    expect(rowsOf((await bed.run(['jobs', 'ls', 'mails'])).stdout)).toMatchObject([{ ID: 'failed-1', STATE: 'failed', ERROR: 'on fire' }]);
    expect((await bed.run(['jobs', 'ls', 'mails', '--state', 'delayed', '-q'])).stdout).toBe('delayed-1\n');
    expect((await bed.run(['jobs', 'ls', 'mails', '--state', 'lost'])).code).toBe(2);
  });

  it('shows a queue, and a job with its log', async () => {
    await fill();
    expect((await bed.run(['jobs', 'info', 'mails'])).stdout).toMatch(/^failed +1$/m);
    const { stdout } = await bed.run(['jobs', 'get', 'mails', 'failed-1']);
    expect(stdout).toMatch(/^data +\{"number":1\}$/m);
    expect(stdout).toMatch(/\nLog\nLINE\na line\n$/);
    expect(await bed.run(['jobs', 'get', 'mails', NEVER])).toMatchObject({ code: 3 });
    expect(await bed.run(['jobs', 'info', 'none'])).toMatchObject({ code: 3 });
  });

  it('has failed jobs done again and makes delayed ones due, after a preview', async () => {
    await fill();
    expect(await bed.run(['jobs', 'retry', 'mails', '--all'])).toMatchObject({ code: 4, stdout: 'jobs           1\nfailed in all  1\n' });
    expect(await bed.run(['jobs', 'retry', 'mails', '--all', '--execute', '--yes'])).toMatchObject({ code: 0, stdout: 'retried  1\n' });
    expect(await bed.run(['jobs', 'promote', 'mails', '--id', 'delayed-1', 'none', '--execute'])).toMatchObject({ code: 6, stdout: 'promoted  1\n' });
    expect(await queue.getWaitingCount()).toBe(3);
    expect((await bed.run(['jobs', 'retry', 'mails'])).code).toBe(2);
  });

  it('pauses and resumes a queue', async () => {
    await fill();
    expect((await bed.run(['jobs', 'pause', 'mails', '--execute'])).code).toBe(0);
    expect(await queue.isPaused()).toBe(true);
    expect(await bed.json(['jobs', 'resume', 'mails', '--execute'])).toMatchObject({ result: { changed: true } });
    expect(await queue.isPaused()).toBe(false);
  });

  it('removes a job, and drains a queue when its name is typed', async () => {
    await fill();
    expect((await bed.run(['jobs', 'rm', 'mails', 'failed-1', '--execute', '--yes'])).code).toBe(0);
    expect((await bed.run(['jobs', 'rm', 'mails', 'failed-1', '--execute', '--yes'])).code).toBe(6);
    expect((await bed.run(['jobs', 'drain', 'mails', '--execute'])).code).toBe(4);
    const line = ['jobs', 'drain', 'mails', '--delayed', '--execute'];
    expect((await onTerminal(line, { env: bed.env, typed: 'yes' })).code).toBe(4);
    expect(await onTerminal(line, { env: bed.env, typed: 'mails' })).toMatchObject({ code: 0, stdout: 'removed  2\nleft     0\n' });
  });

  it('lists job schedulers', async () => {
    await queue.upsertJobScheduler('hourly', { every: 3_600_000 }, { name: 'send' });
    expect(rowsOf((await bed.run(['jobs', 'schedulers', 'mails'])).stdout)).toMatchObject([{ KEY: 'hourly', JOB: 'send', EVERY: '1h' }]);
  });

  it.each([
    [['jobs', 'ls', '--json']], [['jobs', 'ls', 'mails']], [['jobs', 'info', 'mails', '--json']], [['jobs', 'info', 'none']], [['jobs', 'get', 'mails', 'failed-1', '--json']],
    [['jobs', 'get', 'mails', 'none']], [['jobs', 'retry', 'mails', '--all', '--json']], [['jobs', 'drain', 'mails', '--delayed']], [['jobs', 'schedulers', 'mails', '--json']],
  ])('gives the same on Redis and through a server: %j', async (args) => {
    await fill();
    const [direct, remote] = [await bed.run(args), await bed.run([...args, '--url', server.url])];
    const without = (text: string): string => text.replace(` --url ${server.url}`, '');
    expect({ ...remote, stderr: without(remote.stderr) }).toEqual(direct);
    expect(direct.stdout + direct.stderr).not.toBe('');
  });
});
