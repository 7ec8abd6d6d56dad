import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deliveryPipeline, fixed, Forwarding, Publisher, Topic, topicOf } from '@millrace/core';
import { openQueue } from '@millrace/jobs';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { createRpc, type Rpc } from '@millrace/rpc';
import { createStreams, type Streams } from '@millrace/streams';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { allBlocks } from '../../repository/documents.js';

const DOCUMENT = 'docs/guides/operate.md';
const COMMAND = join(process.env['COMPILED_SOURCES'] ?? '', 'apps/cli/src/main.js');
const GROUP = 'billing';

@Topic('shop.orders')
class Order {
  @IsInt() total!: number;
}

let [redis, folder]: [TestRedis, string] = [undefined as never, ''];
beforeAll(async () => {
  redis = await startTestRedis({ appendonly: 'everysec' });
  folder = await mkdtemp(join(tmpdir(), 'millrace-operate-'));
  await exportTopics('topics.json', { maximum: 99 });
  await exportTopics('new.json', { maximum: 9 });
  await fill(redis.url);
  serving = await serve(redis.url);
});
afterAll(async () => {
  const { connection, streams, rpc } = serving;
  await rpc.stop(500);
  await streams.stop(500);
  connection.close();
  await redis.stop();
  await rm(folder, { recursive: true });
});

/** An exported document of a topic whose payloads are numbers. */
async function exportTopics(name: string, payload: object): Promise<void> {
  const channels = { 'shop.orders': { messages: { payload: { payload } } } };
  await writeFile(join(folder, name), JSON.stringify({ asyncapi: '3.0.0', channels }));
}

interface Serving {
  readonly connection: StandaloneTopology;
  readonly streams: Streams;
  readonly rpc: Rpc;
}

let serving: Serving;

/** A service that answers calls. */
async function serve(url: string): Promise<Serving> {
  const connection = await connectServer({ url });
  const streams = createStreams({ redis: connection, prefix: 'millrace', leaseMs: 15_000 });
  const rpc = createRpc({ redis: connection, presence: streams.presence, prefix: 'millrace' });
  const charge = { idempotent: true, handle: () => Promise.resolve('{"receipt":"R-1"}') };
  await rpc.serve({ service: 'payments', version: '1', concurrency: 1, methods: new Map([['charge', charge]]) });
  return { connection, streams, rpc };
}

/** A topic with messages, of which a group gives one up. */
async function fill(url: string): Promise<void> {
  const connection = await connectServer({ url });
  const streams = createStreams({ redis: connection, prefix: 'millrace', leaseMs: 600 });
  const publisher = new Publisher(streams);
  for (const total of [50, 500]) await publisher.publish(Order, { total }, { key: 'c-7' });
  const [topic, retry] = [topicOf(Order), { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] }];
  const handle = (order: object): Promise<void> => ((order as Order).total > 100 ? Promise.reject(new Error('too much')) : Promise.resolve());
  const forwarding = new Forwarding({ jobs: undefined });
  const handler = deliveryPipeline({ topic, group: GROUP, retry, timeoutMs: null, handle, forwarding });
  const limits = { concurrency: 1, crashLimit: 10, unknownForMs: 0, start: 'earliest' } as const;
  const subscription = await streams.subscribe({ topic, group: GROUP, ...limits }, handler);
  await waitFor(async () => (await streams.inspector.group(Order, GROUP)).deadLetters === 1, { what: 'a dead letter' });
  await subscription.stop(500);
  await streams.stop(500);
  connection.close();
  const queue = await openQueue('emails', { target: { url }, prefix: 'millrace' });
  await queue.add('send', { number: 1 });
  await queue.close();
}

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/** Runs a line of a shell beside the service of this process. */
function run(line: string): Promise<Ended> {
  const text = `millrace() { "${process.execPath}" "${COMMAND}" "$@"; }\n${line}`;
  const env = { ...process.env, REDIS_URL: redis.url, XDG_CONFIG_HOME: folder, MILLRACE_URL: '' };
  return new Promise((resolve) => {
    execFile('bash', ['-c', text], { env, cwd: folder }, (error, _stdout, stderr) => resolve({ status: error === null ? 0 : Number(error.code), stderr }));
  });
}

describe('the guide to operating', () => {
  it('has lines that end as it says', async () => {
    const blocks = allBlocks().filter(({ document, language }) => document === DOCUMENT && language === 'sh');
    const lines = blocks.flatMap(({ text }) => text.trim().split('\n'));
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) {
      const code = Number(/# ends with (\d+)$/.exec(line)?.[1] ?? 0);
      const { status, stderr } = await run(line);
      expect([line, status, status === code ? '' : stderr]).toEqual([line, code, '']);
    }
  }, 900_000);
});
