import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasPostgres, startTestPostgres, startTestRedis, type TestRedis, type TestSqlServer, waitFor } from '@millrace/testing';
import { connectServer } from '@millrace/redis';
import type { Report } from '../src/demo/report.js';
import { DemoProcess } from './demo-process.js';
import { screenOf } from './screen.js';
import { TemporaryFolder } from './temporary-folder.js';

const RUN_MS = 150_000;
const WAITS = ['loading the demo', 'starting Redis', 'starting the embedded database', 'starting the shop', 'stopping what was started'];
/** The revenue of 100 generated orders with seed 7, without their cancellations. */
const CHARGED = '1246435.759';
/** A poison order and a good one (whichever is drawn), lines that are left out, and a cancellation. */
const MALFORMED = '1,A,x,2,2024-01-08,1.5,7,EIRE\n2,B,x,two,2024-01-08,1.5,7,EIRE\n3,A\nC4,A,x,-1,2024-01-08,1.5,7,EIRE\n5,B,x,1,2024-01-08,5,7,EIRE\n';
const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n';

const folder = new TemporaryFolder();
let postgres: TestSqlServer | undefined;
beforeAll(async () => {
  await folder.make();
  if (hasPostgres()) postgres = await startTestPostgres('fsync=off');
});
afterAll(async () => {
  await postgres?.stop();
  await folder.remove();
});

/** A server that all runs share, where there is one: the embedded database of a run takes seconds to start. */
function shared(): NodeJS.ProcessEnv {
  return postgres ? { DATABASE_URL: postgres.url } : {};
}

/** A folder for temporary files of its own, to see what is left in it. */
async function emptyTemporary(name: string): Promise<{ TMPDIR: string }> {
  const path = join(folder.path, name);
  await mkdir(path);
  return { TMPDIR: path };
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
    'places, charges and handles everything exactly once, each customer in order, while its processes are killed, and leaves nothing behind',
    async () => {
      const env = await emptyTemporary('killed');
      const line = '--once --json --ordered --generate 100 --workers 2 --kill 4 --duplicates 10 --poison 3 --seed 7';
      const demo = new DemoProcess(line.split(' '), env);
      const { code, stdout, stderr } = await demo.ended;
      const report = reportIn(stdout, stderr);
      const { cancellations } = report.input;
      expect(report).toEqual({
        ok: true,
        input: { files: 3, lines: expect.any(Number), malformed: 0, orders: 100, cancellations: expect.any(Number) },
        revenue: expect.stringMatching(/^-?\d+\.\d{3}$/),
        units: expect.any(Number),
        expected: { revenue: report.revenue, units: report.units },
        published: 100 + cancellations,
        duplicates: Math.round((100 + cancellations) / 10),
        groups: { inventory: figures(97 + cancellations), notifications: figures(97) },
        jobs: { emails: { completed: 97, failed: 0 } },
        calls: { charged: CHARGED, failed: 0, duplicates: 0 },
        order: { messages: 97 + cancellations, disordered: 0 },
        mails: { sent: 97 + report.mails.again, again: expect.any(Number) },
        kills: 4,
        killed: { worker: 2, checkout: 1, payments: 1 },
        seed: 7,
        elapsedMs: expect.any(Number),
      });
      expect(code).toBe(0);
      for (const wait of WAITS) expect(stderr).toContain(wait);
      // Each of them once, the kinds first.
      const killed = [...stderr.matchAll(/killed (.+) \(process \d+\) with SIGKILL/g)].map(([, name]) => name);
      expect([...killed].sort()).toEqual(['checkout', 'payments', 'worker 1', 'worker 2']);
      expect(killed.at(-1)).toMatch(/^worker/);
      await expectNothingLeft(demo, env);
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
      const line = `--topology ${topology} --once --json --generate 40 --workers 1 --kill 3 --duplicates 10 --poison 2 --seed 7`;
      const demo = new DemoProcess(line.split(' '), { ...env, ...shared() });
      const { code, stdout, stderr } = await demo.ended;
      const report = reportIn(stdout, stderr);
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
        killed: { worker: 1, checkout: 1, payments: 1 },
      });
      expect(code).toBe(0);
      expect(stderr).toContain(`redis: ${redis}`);
      expect(stderr).not.toMatch(/append-only|without any replica|WARN/);
      await expectNothingLeft(demo, env);
    },
    RUN_MS,
  );

  test(
    'runs in one process too, on the Redis of REDIS_URL, goes on until Ctrl-C, and removes its keys from there',
    async () => {
      const redis = await startTestRedis();
      const env = { ...(await emptyTemporary('one-process')), REDIS_URL: redis.url };
      const file = await folder.write('malformed.csv', `${HEADER}${MALFORMED}`);
      const demo = new DemoProcess(['--orders', file, ...'--poison 1 --duplicates 50 --seed 1'.split(' ')], env);
      // More orders than an emitter may have listeners before Node warns of a leak.
      await demo.said(/published (1[5-9]|[2-9]\d)\b.*Ctrl-C/);
      demo.signal('SIGINT');
      const { code, stdout, stderr } = await demo.ended;
      expect(stderr).toContain('redis: REDIS_URL');
      expect(stderr).toContain(`${file}:3: left out: Quantity "two"`);
      expect(stderr).toContain(`${file}:4: left out: it has 2 columns, not 8`);
      expect(stderr).toContain('the shop stays open');
      expect(stderr).not.toContain('Warning');
      const [replayed, traded] = stdout.split(/^seed .*$/m);
      expect(replayed).toMatch(/^revenue +1\.500 +1\.500 +the same$/m);
      expect(replayed).toMatch(/^charged +8\.000 +8\.000 +the same$/m);
      expect(replayed).toMatch(/^mails +1 +1 +the same$/m);
      for (const table of [replayed, traded]) {
        expect(table?.match(/^(revenue|charged|mails) .* the same$/gm)).toHaveLength(3);
        expect(table).toMatch(/^0 invoices not placed, 0 orders charged twice$/m);
        expect(table).toMatch(/^group +inventory +notifications$/m);
        expect(table).toMatch(/^dead letters +1 +1$/m);
        expect(table).toMatch(/^lag +0 +0$/m);
        expect(table).toMatch(/^killed: worker 0, checkout 0, payments 0$/m);
      }
      expect(code).toBe(0);
      await expectNothingLeft(demo, env);
      await expectEmpty(redis);
      await redis.stop();
    },
    RUN_MS,
  );

  test(
    'fits a terminal of 60 columns, and puts errors on lines of their own above its bar',
    async () => {
      const env = await emptyTemporary('terminal');
      const demo = new DemoProcess('--once --generate 40 --workers 1 --poison 2 --duplicates 10 --seed 5'.split(' '), { ...env, ...shared() }, 60);
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
      const demo = new DemoProcess('--once --json --generate 3000 --workers 1'.split(' '), { ...env, ...shared() });
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
      const env = { ...(await emptyTemporary('unread')), ...shared(), REDIS_URL: redis.url };
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
      const demo = new DemoProcess('--once --generate 3000 --workers 1'.split(' '), { ...(await emptyTemporary('sigkill')), ...shared() });
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

  test('refuses an unknown option before it loads anything', async () => {
    const { code, stdout, stderr } = await new DemoProcess('--once --worker 2 --json'.split(' ')).ended;
    expect(stderr).toContain('Did you mean --workers?');
    expect(stderr).not.toContain('loading the demo');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

function reportIn(stdout: string, stderr: string): Report {
  if (stdout === '') throw new Error(`nothing on stdout, but on stderr:\n${stderr}`);
  return JSON.parse(stdout) as Report;
}

function figures(handled: number): object {
  const some: unknown = expect.any(Number);
  return { handled, redelivered: some, deduplicated: some, retried: some, deadLettered: 3, lag: 0 };
}
