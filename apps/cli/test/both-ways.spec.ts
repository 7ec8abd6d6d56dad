import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CliBed } from './cli-bed.js';
import { serveFailing } from './failing-service.js';
import { MailQueue } from './mail-queue.js';
import type { Ended } from './run-here.js';
import { ServerProcess } from './server-process.js';
import { Mail, mails } from './topics.js';

const TOKEN = 'a-token-of-this-spec-of-32-characters';
/** The server calls whoever has its token so. */
const ACTOR = 'token';

const bed = new CliBed('both', { isShared: true });
let server: ServerProcess;
let queue: MailQueue;
beforeAll(async () => {
  server = await ServerProcess.start(bed.env, TOKEN);
  await bed.publisher.publishMany(Mail, mails(5));
  await bed.publisher.publish(Mail, { number: 9 }, { delay: '1h' });
  await bed.giveUp(Mail, 'billing', new Error('on fire'));
  await serveFailing(bed.rpc);
  queue = await MailQueue.open(bed);
  await queue.fill();
});
afterAll(async () => {
  await queue.close();
  await server.stop();
});

/** The same line on Redis itself and through a server. */
async function both(args: readonly string[]): Promise<[direct: Ended, remote: Ended]> {
  return [await bed.run([...args, '--actor', ACTOR]), await bed.run([...args, '--url', server.url, '--token', TOKEN])];
}

/** Figures that are other ones a moment later, and where the command went. */
function lasting({ code, stdout, stderr }: Ended): Ended {
  const without = (text: string): string => text.replace(/ --url \S+ --token \S+| --actor token/g, '').replace(/since \S+\./g, 'since then.').replace(/"since":"[^"]*"/, '');
  return { code, stdout: without(stdout), stderr: without(stderr) };
}

describe('a command', () => {
  it.each([
    [['topics', 'ls', '--json']], [['topics', 'ls', '-n', '1']], [['topics', 'info', 'shop.mails']], [['topics', 'info', 'none']], [['topics', 'info', 'a b']],
    [['topics', 'schedules', '--json']], [['topics', 'schedules', '-n', '1', '--raw']],
    [['topics', 'raise', 'shop.orders', '--partitions', '6', '--json']], [['topics', 'raise', 'shop.mails', '--partitions', '2']],
    [['topics', 'purge', 'shop.mails', '--before', '2030-01-01', '--json']], [['groups', 'ls', 'shop.mails', '--raw']], [['groups', 'info', 'shop.mails', 'billing', '--json']],
    [['groups', 'lag', '--max', '0']], [['groups', 'seek', 'shop.mails', 'billing', '--to', '3']], [['groups', 'seek', 'shop.mails', 'billing', '--to', '2020-01-01', '--json']],
    [['groups', 'pending', 'shop.mails', 'billing', '--json']], [['groups', 'pending', 'shop.mails', 'none']],
    [['groups', 'info', 'shop.mails', 'none']], [['messages', 'get', 'shop.mails', '0:0', '--json']], [['messages', 'get', 'shop.mails', '0:99']],
    [['messages', 'find', 'shop.mails', '--where', 'payload.number>3', '--json']], [['messages', 'find', 'shop.mails', '--header', 'a=b', '--since', '2020-01-01']],
    [['tail', 'shop.mails', '--from', 'start', '--for', '0ms', '--jsonl']], [['tail', 'shop.mails', '-n', '2', '--for', '0ms']], [['dlq', 'ls']],
    [['dlq', 'errors', 'shop.mails', 'billing', '--json']], [['dlq', 'show', 'shop.mails', 'billing', '--json']], [['dlq', 'show', 'shop.mails', 'billing', '0:1-1']],
    [['dlq', 'redrive', 'shop.mails', 'billing', '--all', '--json']], [['services', 'ls', '--json']], [['audit', 'ls', '--json']],
    [['jobs', 'ls', '--json']], [['jobs', 'ls', 'mails']], [['jobs', 'info', 'mails', '--json']], [['jobs', 'info', 'none']], [['jobs', 'get', 'mails', 'failed-1', '--json']],
    [['jobs', 'get', 'mails', 'none']], [['jobs', 'retry', 'mails', '--all', '--json']], [['jobs', 'drain', 'mails', '--delayed']], [['jobs', 'schedulers', 'mails', '--json']],
  ])('gives the same on Redis and through a server: %j', async (args) => {
    const [direct, remote] = await both(args);
    expect(lasting(remote)).toEqual(lasting(direct));
    expect(direct.stdout + direct.stderr).not.toBe('');
  });

  it('is done through a server, in the name that the server knows', async () => {
    const remote = ['--url', server.url, '--token', TOKEN, '--execute', '--yes', '--json'];
    for (const line of [['groups', 'seek', 'shop.mails', 'billing', '--to', '2020-01-01T00:00:00Z'], ['dlq', 'redrive', 'shop.mails', 'billing', '--all'], ['topics', 'purge', 'shop.mails', '--before', '2030-01-01', '--unsettled']]) {
      const { code, stdout } = await bed.run([...line, ...remote]);
      expect([code, JSON.parse(stdout)]).toMatchObject([0, { dryRun: false, audited: true }]);
    }
    expect(await bed.json(['audit', 'ls'])).toMatchObject({ items: Array.from({ length: 6 }, () => ({ actor: ACTOR })) });
  });

  it('shows the figures of the calls of the server', async () => {
    const { code, stdout } = await bed.run(['services', 'stats', '--url', server.url, '--token', TOKEN, '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, { apiVersion: 1, items: [] }]);
  });

  it.each(['.', '..'])("asks no server for a thing that is named '%s', which Redis knows", async (job) => {
    await queue.queue.add('send', { number: 4 }, { jobId: job });
    expect(await bed.json(['jobs', 'get', 'mails', job])).toMatchObject({ id: job });
    const message = `The job '${job}' cannot be named over HTTP: its URL would be that of something else. Nothing was asked. Ask Redis itself, with --redis. [USAGE]`;
    for (const line of [['jobs', 'get', 'mails', job], ['jobs', 'rm', 'mails', job, '--execute', '--yes']]) {
      const { code, stdout, stderr } = await bed.run([...line, '--url', server.url, '--token', TOKEN]);
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
    }
    await queue.queue.remove(job);
  });

  it('asks no server for a thing without a name', async () => {
    const { code, stderr } = await bed.run(['topics', 'info', '', '--url', server.url, '--token', TOKEN]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("The topic '' cannot be named over HTTP")]);
  });

  it.each([['limit'], ['limit', '--json'], ['check'], ['check', '--json']])('tells the error of a called method in the same words: %s %s', async (method, ...form) => {
    const [direct, remote] = await both(['services', 'call', `shop.failing.${method}`, '1', ...form]);
    expect(lasting(remote)).toEqual(lasting(direct));
    expect(direct.stderr).toContain(method === 'limit' ? 'LIMIT' : 'cents must be an integer number');
  });

  it('is refused by a server without its token', async () => {
    for (const token of [[], ['--token', 'another']]) {
      const { code, stderr } = await bed.run(['topics', 'ls', '--url', server.url, ...token]);
      expect([code, stderr]).toEqual([4, expect.stringContaining('[HTTP_401]')]);
    }
  });

  it('says that what answers is no server of Millrace', async () => {
    const { code, stderr } = await bed.run(['topics', 'ls', '--url', `${server.url}/elsewhere`, '--token', TOKEN]);
    expect([code, stderr]).toEqual([5, expect.stringContaining('Check --url, or MILLRACE_URL')]);
  });
});
