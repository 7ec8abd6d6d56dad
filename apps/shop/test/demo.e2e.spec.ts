import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { connectServer } from '@millrace/redis';
import type { Report } from '../src/demo/report.js';
import { type DemoEnd, DemoProcess } from './demo-process.js';
import { screenOf } from './screen.js';
import { TemporaryFolder } from './temporary-folder.js';

const RUN_MS = 150_000;
const WAITS = ['loading the demo', 'starting Redis', 'starting the embedded database', 'starting the shop', 'stopping what was started'];
/** The revenue of 200 generated orders with seed 7, without their cancellations. */
const CHARGED = '2056151.335';
const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n';

const folder = new TemporaryFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

/** A folder for temporary files of its own, to see what is left in it. */
async function emptyTemporary(name: string): Promise<{ TMPDIR: string }> {
  const path = join(folder.path, name);
  await mkdir(path);
  return { TMPDIR: path };
}

function run(line: string, env: NodeJS.ProcessEnv = {}): Promise<DemoEnd> {
  return new DemoProcess(line.split(' '), env).ended;
}

async function expectNothingLeft(demo: DemoProcess, { TMPDIR }: { TMPDIR: string }): Promise<void> {
  await waitFor(async () => (await demo.running()).length === 0, { what: 'every process of the demo to end' });
  expect(await readdir(TMPDIR)).toEqual([]);
}

async function expectEmpty({ url }: TestRedis): Promise<void> {
  const connections = await connectServer({ url });
  expect(await connections.control.call('DBSIZE')).toBe(0);
  connections.close();
}

describe('the demo', () => {
  test(
    'charges and handles everything exactly once while its processes are killed, and leaves nothing behind',
    async () => {
      const env = await emptyTemporary('killed');
      const demo = new DemoProcess('--once --json --generate 200 --workers 2 --kill 3 --duplicates 10 --poison 3 --seed 7'.split(' '), env);
      const { code, stdout, stderr } = await demo.ended;
      const report = JSON.parse(stdout || `"nothing on stdout, but on stderr: ${stderr.replace(/["\\\n]/g, ' ')}"`) as Report;
      expect(report).toEqual({
        ok: true,
        input: { files: 3, lines: expect.any(Number), malformed: 0, orders: 200, cancellations: expect.any(Number) },
        revenue: expect.stringMatching(/^-?\d+\.\d{3}$/),
        units: expect.any(Number),
        expected: { revenue: report.revenue, units: report.units },
        published: 200 + report.input.cancellations,
        duplicates: Math.round((200 + report.input.cancellations) / 10),
        groups: {
          inventory: figures(197 + report.input.cancellations),
          notifications: figures(197),
        },
        jobs: { emails: { completed: 197, failed: 0 } },
        calls: { charged: CHARGED, failed: 0, duplicates: 0 },
        kills: 3,
        seed: 7,
        elapsedMs: expect.any(Number),
      });
      expect(code).toBe(0);
      for (const wait of WAITS) expect(stderr).toContain(wait);
      // Each of them once, in any order.
      const killed = [...stderr.matchAll(/killed (.+) \(process \d+\) with SIGKILL/g)].map(([, name]) => name);
      expect(killed.sort()).toEqual(['payments', 'worker 1', 'worker 2']);
      await expectNothingLeft(demo, env);
    },
    RUN_MS,
  );

  test(
    'keeps the order of each customer while a worker is killed, and says so',
    async () => {
      const { code, stdout, stderr } = await run('--once --json --ordered --generate 120 --workers 2 --kill 1 --poison 2 --seed 3');
      const report = JSON.parse(stdout || `"nothing on stdout, but on stderr: ${stderr.replace(/["\\\n]/g, ' ')}"`) as Report;
      const messages = 118 + report.input.cancellations;
      expect(report).toMatchObject({ ok: true, order: { messages, disordered: 0 }, kills: 1 });
      expect(code).toBe(0);
    },
    RUN_MS,
  );

  test.each([
    ['cluster', 'a Cluster of 6 nodes'],
    ['sentinel', 'a primary and a replica behind 3 Sentinels'],
  ])(
    'comes out the same on servers of its own, set up as %s, while its processes are killed, and leaves nothing behind',
    async (topology, redis) => {
      const env = await emptyTemporary(topology);
      const line = `--topology ${topology} --once --json --generate 40 --workers 2 --kill 3 --duplicates 10 --poison 2 --seed 7`;
      const demo = new DemoProcess(line.split(' '), env);
      const { code, stdout, stderr } = await demo.ended;
      const report = JSON.parse(stdout || `"nothing on stdout, but on stderr: ${stderr.replace(/["\\\n]/g, ' ')}"`) as Report;
      const { revenue, units, cancellations } = { ...report, ...report.input };
      expect(report).toMatchObject({
        ok: true,
        expected: { revenue, units },
        published: 40 + cancellations,
        duplicates: Math.round((40 + cancellations) / 10),
        groups: {
          inventory: { handled: 38 + cancellations, deadLettered: 2, lag: 0 },
          notifications: { handled: 38, deadLettered: 2, lag: 0 },
        },
        jobs: { emails: { completed: 38, failed: 0 } },
        calls: { failed: 0, duplicates: 0 },
        kills: 3,
      });
      expect(code).toBe(0);
      expect(stderr).toContain(`redis: ${redis}`);
      expect(stderr).not.toMatch(/append-only|without any replica|WARN/);
      await expectNothingLeft(demo, env);
    },
    RUN_MS,
  );

  test(
    'runs in one process too, on the Redis of REDIS_URL, and removes its keys from there',
    async () => {
      const redis = await startTestRedis();
      const env = { ...(await emptyTemporary('one-process')), REDIS_URL: redis.url };
      const demo = new DemoProcess('--once --generate 60 --poison 2 --duplicates 50 --seed 1'.split(' '), env);
      const { code, stdout, stderr } = await demo.ended;
      expect(stderr).toContain('redis: REDIS_URL');
      expect(stdout).toMatch(/^revenue .* the same$/m);
      expect(stdout).toMatch(/^charged .* the same$/m);
      expect(stdout).toMatch(/^0 orders not charged, 0 charged twice$/m);
      expect(stdout).toMatch(/^mails +58 +58 +the same$/m);
      expect(stdout).toMatch(/^group +inventory +notifications$/m);
      expect(stdout).toMatch(/^dead letters +2 +2$/m);
      expect(stdout).toMatch(/^lag +0 +0$/m);
      expect(code).toBe(0);
      await expectNothingLeft(demo, env);
      await expectEmpty(redis);
      await redis.stop();
    },
    RUN_MS,
  );

  test(
    'goes on without --once until Ctrl-C, and ends well',
    async () => {
      const env = await emptyTemporary('goes-on');
      const demo = new DemoProcess('--generate 20 --workers 1 --seed 3'.split(' '), env);
      // More orders than an emitter may have listeners before Node warns of a leak.
      await demo.said(/published (3[6-9]|[4-9]\d)\b.*Ctrl-C/);
      demo.signal('SIGINT');
      const { code, stdout, stderr } = await demo.ended;
      expect(stderr).toContain('the shop stays open');
      expect(stderr).not.toContain('Warning');
      expect(stdout.match(/^(revenue|charged) .* the same$/gm)).toHaveLength(4);
      expect(code).toBe(0);
      await expectNothingLeft(demo, env);
    },
    RUN_MS,
  );

  test(
    'fits a terminal of 60 columns, and puts errors on lines of their own above its bar',
    async () => {
      const env = await emptyTemporary('terminal');
      const demo = new DemoProcess('--once --generate 60 --workers 1 --poison 2 --duplicates 10 --seed 5'.split(' '), env, 60);
      const { code, stdout } = await demo.ended;
      const { lines, erased } = screenOf(stdout);
      expect([...lines, ...erased].filter(({ length }) => length > 60)).toEqual([]);
      expect(erased.filter((line) => !/^[█░]{8} +\d+% +published/.test(line))).toEqual([]);
      expect(lines.filter((line) => line.includes('[Nest]'))).toHaveLength(4);
      expect(lines.filter((line) => /[█░]/.test(line))).toEqual([expect.stringMatching(/^█{8} 100% +published \d+, handled \d+/)]);
      expect(lines.filter((line) => line.startsWith('[Nest]') || !line.includes('[Nest]'))).toEqual(lines);
      expect(code).toBe(0);
      await expectNothingLeft(demo, env);
    },
    RUN_MS,
  );

  test(
    'ends in order on SIGTERM in the middle',
    async () => {
      const env = await emptyTemporary('sigterm');
      const demo = new DemoProcess('--once --json --generate 3000 --workers 2'.split(' '), env);
      await demo.said(/worker \d .* is at work/);
      demo.signal('SIGTERM');
      const { code, stdout, stderr } = await demo.ended;
      expect(stderr).toContain('stopped before all orders were handled');
      expect({ code, stdout }).toEqual({ code: 143, stdout: '' });
      await expectNothingLeft(demo, env);
    },
    RUN_MS,
  );

  test(
    'ends in order when nobody reads its output any more',
    async () => {
      const redis = await startTestRedis();
      const env = { ...(await emptyTemporary('unread')), REDIS_URL: redis.url };
      const demo = new DemoProcess('--once --generate 3000'.split(' '), env);
      await demo.said(/published [1-9]/);
      demo.stopReading();
      expect((await demo.ended).code).toBe(1);
      await expectNothingLeft(demo, env);
      await expectEmpty(redis);
      await redis.stop();
    },
    RUN_MS,
  );

  test(
    'takes its workers and servers along when it is killed',
    async () => {
      const demo = new DemoProcess('--once --generate 3000 --workers 2'.split(' '), await emptyTemporary('sigkill'));
      await demo.said(/worker \d .* is at work/);
      demo.signal('SIGKILL');
      await demo.ended;
      await waitFor(async () => (await demo.running()).length === 0, { what: 'every process of the demo to end' });
    },
    RUN_MS,
  );

  test('ends in order on SIGTERM while it reads', async () => {
    const env = await emptyTemporary('reading');
    const row = '1,A,x,two,2024-01-08,1.5,7,EIRE\n';
    const file = await folder.write('long.csv', `${HEADER}${row.repeat(1_000_000)}`);
    const demo = new DemoProcess(['--once', '--orders', file], env);
    await demo.said(/long\.csv:11: left out/);
    demo.signal('SIGTERM');
    const { code, stderr } = await demo.ended;
    expect(stderr).toContain('stopped before all orders were handled');
    expect(stderr.match(/left out: /g)).toHaveLength(10);
    expect(code).toBe(143);
    await expectNothingLeft(demo, env);
  }, RUN_MS);

  test('tells malformed lines with file and line, and goes on', async () => {
    const rows = '1,A,x,2,2024-01-08,1.5,7,EIRE\n2,B,x,two,2024-01-08,1.5,7,EIRE\n3,A\nC4,A,x,-1,2024-01-08,1.5,7,EIRE\n';
    const file = await folder.write('malformed.csv', `${HEADER}${rows}`);
    const { code, stdout, stderr } = await run(`--once --json --orders ${file}`);
    expect(stderr).toContain(`${file}:3: left out: Quantity "two"`);
    expect(stderr).toContain(`${file}:4: left out: it has 2 columns, not 8`);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      input: { files: 1, lines: 4, malformed: 2, orders: 1, cancellations: 1 },
      revenue: '1.500',
      units: 1,
      jobs: { emails: { completed: 1, failed: 0 } },
      calls: { charged: '3.000', failed: 0, duplicates: 0 },
    });
    expect(code).toBe(0);
  }, RUN_MS);
});

describe('the demo refuses', () => {
  test.each([
    ['an unknown option', '--once --worker 2', {}, 2, 'Did you mean --workers?'],
    ['more poison than orders', '--once --generate 5 --poison 6', {}, 2, '--poison 6 asks for more orders than there are: the input has 5'],
    ['a folder that is not there', '--once --orders /nowhere/at/all', {}, 1, 'ENOENT'],
    ['a Redis that does not answer', '--once --generate 5', { REDIS_URL: 'redis://127.0.0.1:1' }, 1, '127.0.0.1:1'],
    ['a database that does not answer', '--once --generate 5', { DATABASE_URL: 'postgres://x:secret@127.0.0.1:1/x' }, 1, '127.0.0.1:1/x'],
    ['servers of its own beside a Redis of REDIS_URL', '--once --topology cluster', { REDIS_URL: 'redis://127.0.0.1:1' }, 2, 'unset REDIS_URL'],
    ['several servers where there is none', '--once --topology sentinel', { PATH: '/nowhere' }, 1, 'no redis-server or valkey-server on the PATH'],
    ['an unknown variable', '--once --generate 5', { MILLRACE_LEESE: '3s' }, 2, 'MILLRACE_LEASE'],
  ])('%s', async (_, line, env, exitCode, message) => {
    const { code, stdout, stderr } = await run(`${line} --json`, env);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('secret');
    expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' });
  }, RUN_MS);

  test('a FIFO that nobody writes to, by its name', async () => {
    const fifo = join(folder.path, 'orders.csv');
    execFileSync('mkfifo', [fifo]);
    const { code, stdout, stderr } = await run(`--once --json --orders ${fifo}`);
    expect(stderr).toContain(`${fifo} is a FIFO`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  }, RUN_MS);
});

function figures(handled: number): object {
  const some: unknown = expect.any(Number);
  return { handled, redelivered: some, deduplicated: some, retried: some, deadLettered: 3, lag: 0 };
}
