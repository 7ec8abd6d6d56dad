import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CliBed, rowsOf } from './cli-bed.js';
import { MailQueue } from './mail-queue.js';
import { onTerminal } from './run-here.js';

const bed = new CliBed('jobs');
let mails: MailQueue;
beforeEach(async () => {
  mails = await MailQueue.open(bed);
});
afterEach(() => mails.close());

const NEVER = '0199a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b';

describe('millrace jobs', () => {
  it('lists queues, and jobs of one in a state', async () => {
    await mails.fill();
    expect(rowsOf((await bed.run(['jobs', 'ls'])).stdout)).toMatchObject([{ QUEUE: 'mails', PAUSED: 'no', WAITING: '1', DELAYED: '1', FAILED: '1' }]);
    expect(rowsOf((await bed.run(['jobs', 'ls', 'mails'])).stdout)).toMatchObject([{ ID: 'failed-1', STATE: 'failed', ERROR: 'on fire' }]);
    expect((await bed.run(['jobs', 'ls', 'mails'])).stderr).toBe(
      'These are the failed jobs alone. Others are shown by --state: waiting, prioritized, active, delayed, waiting-children, completed.\n',
    );
    expect((await bed.run(['jobs', 'ls', 'mails', '--state', 'failed'])).stderr).toBe('');
    expect((await bed.run(['jobs', 'ls', 'mails', '-q'])).stderr).toBe('');
    expect((await bed.run(['jobs', 'ls', 'mails', '--state', 'delayed', '-q'])).stdout).toBe('delayed-1\n');
    expect((await bed.run(['jobs', 'ls', 'mails', '--state', 'lost'])).code).toBe(2);
  });

  it('shows a queue, and a job with its log', async () => {
    await mails.fill();
    expect((await bed.run(['jobs', 'info', 'mails'])).stdout).toMatch(/^failed +1$/m);
    const { stdout } = await bed.run(['jobs', 'get', 'mails', 'failed-1']);
    expect(stdout).toMatch(/^data +\{"number":1\}$/m);
    expect(stdout).toMatch(/\nLog\nLINE\na line\n$/);
    expect(await bed.run(['jobs', 'get', 'mails', NEVER])).toMatchObject({ code: 3 });
    expect(await bed.run(['jobs', 'info', 'none'])).toMatchObject({
      code: 3, stderr: 'error: There is no queue "none" in Redis: it has one from its first job on. See millrace jobs ls. [UNKNOWN_JOB_QUEUE]\n',
    });
  });

  it('has failed jobs done again and makes delayed ones due, after a preview', async () => {
    await mails.fill();
    expect(await bed.run(['jobs', 'retry', 'mails', '--all'])).toMatchObject({ code: 4, stdout: 'jobs           1\nfailed in all  1\n' });
    expect(await bed.run(['jobs', 'retry', 'mails', '--all', '--execute', '--yes'])).toMatchObject({ code: 0, stdout: 'retried  1\n' });
    expect(await bed.run(['jobs', 'promote', 'mails', '--id', 'delayed-1', 'none', '--execute'])).toMatchObject({ code: 6, stdout: 'promoted  1\n' });
    expect(await mails.queue.getWaitingCount()).toBe(3);
    expect((await bed.run(['jobs', 'retry', 'mails'])).code).toBe(2);
  });

  it('pauses and resumes a queue', async () => {
    await mails.fill();
    expect(await bed.run(['jobs', 'pause', 'mails', '--execute'])).toMatchObject({ code: 0, stdout: 'changed       yes\nstill active  0\n' });
    expect(await mails.queue.isPaused()).toBe(true);
    expect(await bed.run(['jobs', 'resume', 'mails', '--execute'])).toMatchObject({ code: 0, stdout: 'changed  yes\n' });
    expect((await bed.run(['jobs', 'pause', 'mails', '--execute'])).code).toBe(0);
    expect(await bed.json(['jobs', 'resume', 'mails', '--execute'])).toMatchObject({ result: { changed: true } });
    expect(await mails.queue.isPaused()).toBe(false);
  });

  it('removes a job, and drains a queue when its name is typed', async () => {
    await mails.fill();
    expect((await bed.run(['jobs', 'rm', 'mails', 'failed-1', '--execute', '--yes'])).code).toBe(0);
    expect((await bed.run(['jobs', 'rm', 'mails', 'failed-1', '--execute', '--yes'])).code).toBe(6);
    expect((await bed.run(['jobs', 'drain', 'mails', '--execute'])).code).toBe(4);
    expect((await bed.run(['jobs', 'drain', 'mails'])).stdout).toBe('jobs         1\nwaiting      1\nprioritized  0\n');
    expect((await bed.run(['jobs', 'drain', 'mails', '--delayed'])).stdout).toBe('jobs         2\nwaiting      1\nprioritized  0\ndelayed      1\n');
    const line = ['jobs', 'drain', 'mails', '--delayed', '--execute'];
    expect((await onTerminal(line, { env: bed.env, typed: 'yes' })).code).toBe(4);
    expect(await onTerminal(line, { env: bed.env, typed: 'mails' })).toMatchObject({ code: 0, stdout: 'removed  2\nleft     0\n' });
  });

  it('lists job schedulers', async () => {
    await mails.queue.upsertJobScheduler('hourly', { every: 3_600_000 }, { name: 'send' });
    expect(rowsOf((await bed.run(['jobs', 'schedulers', 'mails'])).stdout)).toMatchObject([{ KEY: 'hourly', JOB: 'send', EVERY: '1h' }]);
  });
});
