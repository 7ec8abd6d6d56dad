import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Outbox } from '@millrace/outbox';
import { connectServer } from '@millrace/redis';
import { createStreams } from '@millrace/streams';
import { startTestPostgres, startTestRedis, TypeScriptChild } from '@millrace/testing';
import { openDatabase } from './relay-databases.js';
import { Loose, type Step, Steps } from './topics.js';

/** Prints rows a second, and CPU time of a row: of all relays, of PostgreSQL and of Redis. */
const rows = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 3);
const KEYS = 200;
const TICK_US = 10_000;

const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
const topology = await connectServer({ url: redis.url, name: 'cost' });
const streams = createStreams({ redis: topology, prefix: 'outbox', leaseMs: 15_000 });
const database = await openDatabase(postgres.url);
const outbox = new Outbox({ source: database.source, wakes: false });
await outbox.prepare();
for (const topic of [Steps, Loose]) await streams.declare(topic);

for (let round = 0; round < rounds; round += 1) {
  for (const topic of [Loose, Steps]) for (const relays of [1, 2]) console.log(JSON.stringify(await measured(topic, relays)));
}
await streams.stop(1_000);
topology.close();
await database.close();
await Promise.all([postgres.stop(), redis.stop()]);

async function measured(topic: typeof Steps, relays: number): Promise<object> {
  const children = await Promise.all(Array.from({ length: relays }, begin));
  await fill(topic);
  const [began, node, servers] = [performance.now(), await nodeCpu(children), serverCpu()];
  await database.query('NOTIFY millrace_outbox');
  while ((await outbox.counts()).pending > 0) await setTimeout(100);
  const [seconds, used] = [(performance.now() - began) / 1_000, serverCpu()];
  const cpu = (from: number, to: number): number => Math.round((to - from) / rows);
  const us = {
    node: cpu(node, await nodeCpu(children)),
    postgres: cpu(servers.postgres, used.postgres),
    redis: cpu(servers.redis, used.redis),
  };
  await Promise.all(children.map((child) => child.kill('SIGKILL')));
  return { keys: topic === Steps ? KEYS : 0, relays, aSecond: Math.round(rows / seconds), us };
}

/** A relay that waits until it is told of rows. */
async function begin(): Promise<TypeScriptChild> {
  const child = new TypeScriptChild(new URL('./relay-process.ts', import.meta.url), { args: [redis.url, postgres.url, '{"poll":"1h"}'] });
  await child.line();
  while (!(await statsOf(child)).listening) await setTimeout(20);
  return child;
}

async function fill(topic: typeof Steps): Promise<void> {
  for (let from = 0; from < rows; from += 1_000) {
    const step = (at: number): object => ({ key: `key${at % KEYS}`, step: from + at, filling: 'x'.repeat(170) });
    const items = Array.from({ length: 1_000 }, (_, at) => ({ payload: step(at) as Step }));
    await database.source.transaction((tx) => outbox.publishAll(tx, topic, items));
  }
}

interface Stats {
  readonly listening: boolean;
  readonly cpu: NodeJS.CpuUsage;
}

async function statsOf(child: TypeScriptChild): Promise<Stats> {
  child.tell('stats');
  return JSON.parse(await child.line()) as Stats;
}

async function nodeCpu(children: readonly TypeScriptChild[]): Promise<number> {
  const all = await Promise.all(children.map(statsOf));
  return all.reduce((sum, { cpu: { user, system } }) => sum + user + system, 0);
}

function serverCpu(): { readonly postgres: number; readonly redis: number } {
  return { postgres: familyCpu(postgres.pid), redis: familyCpu(redis.pid) };
}

/** CPU time of a process, its children, and those of them that have ended, in microseconds. Linux alone. */
function familyCpu(parent: number): number {
  const family = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(statOf);
  const own = family.filter((stat) => stat && (stat.pid === parent || stat.parent === parent)) as Stat[];
  return own.reduce((sum, { pid, ticks, endedTicks }) => sum + (ticks + (pid === parent ? endedTicks : 0)) * TICK_US, 0);
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  readonly endedTicks: number;
}

function statOf(pid: string): Stat | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').map(Number);
    return { pid: Number(pid), parent: fields[1]!, ticks: fields[11]! + fields[12]!, endedTicks: fields[13]! + fields[14]! };
  } catch {
    // It has ended meanwhile.
    return null;
  }
}
