import { setTimeout } from 'node:timers/promises';
import { topicOf } from '@millrace/core';
import { uniqueName } from '@millrace/testing';
import { Ground } from '../ground.js';
import { A, B, C, D, STAGES } from './stages.js';
import { StageWorker } from './stage-worker.js';

/** Prints the CPU time of a message and stage, with handlers that forward and with handlers that publish by themselves, in turns. */
const messages = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 5);
const concurrency = Number(process.argv[4] ?? 16);

interface Cost {
  readonly node: number;
  readonly redis: number;
  readonly all: number;
  readonly seconds: number;
}

const ground = new Ground({});
await ground.open();
const costs: Record<'exact' | 'direct', Cost[]> = { exact: [], direct: [] };
for (let round = 0; round < rounds; round += 1) {
  for (const exact of round % 2 === 0 ? [true, false] : [false, true]) {
    ground.prefix = uniqueName('cost');
    const cost = await measured(exact);
    costs[exact ? 'exact' : 'direct'].push(cost);
    console.log(exact ? 'exact ' : 'direct', JSON.stringify(cost));
    await ground.command('FLUSHALL');
  }
}
await ground.close();
for (const part of ['node', 'redis', 'all', 'seconds'] as const) {
  const ratios = costs.exact.map((cost, round) => cost[part] / costs.direct[round]![part]);
  console.log(`${part}: exact ${median(costs.exact.map((cost) => cost[part])).toFixed(2)}`, `direct ${median(costs.direct.map((cost) => cost[part])).toFixed(2)}`,
    `ratio ${median(ratios).toFixed(3)}`);
}

async function measured(exact: boolean): Promise<Cost> {
  const publisher = await ground.start({ leaseMs: 5_000 });
  for (const topic of [A, B, C, D]) await publisher.streams.declare(topicOf(topic));
  const worker = await StageWorker.start({ url: ground.url, prefix: ground.prefix, leaseMs: 5_000, name: 'cost', concurrency, exact });
  const isDone = async (count: number): Promise<boolean> => {
    const states = await Promise.all(STAGES.map(({ from }) => publisher.streams.inspector.group(from, 'g')));
    return states.every(({ handled, forwarding }) => handled === count && forwarding === 0);
  };
  const publish = async (from: number, count: number): Promise<void> => {
    const items = Array.from({ length: count }, (_, index) => ({ payload: { value: from + index } }));
    for (let first = 0; first < count; first += 1_000) await publisher.publisher.publishMany(A, items.slice(first, first + 1_000));
  };
  await publish(0, 4_000);
  while (!(await isDone(4_000))) await setTimeout(100);
  const before = [await worker.cpu(), await redisCpu(), performance.now()] as const;
  await publish(4_000, messages);
  while (!(await isDone(4_000 + messages))) await setTimeout(200);
  const after = [await worker.cpu(), await redisCpu(), performance.now()] as const;
  await worker.stop();
  await ground.clear();
  const [node, redis] = [(after[0] - before[0]) / (messages * STAGES.length), (after[1] - before[1]) / (messages * STAGES.length)];
  return { node, redis, all: node + redis, seconds: (after[2] - before[2]) / 1_000 };
}

/** CPU time of the server so far, in microseconds. */
async function redisCpu(): Promise<number> {
  const info = String(await ground.command('INFO', 'cpu'));
  const seconds = ['used_cpu_sys', 'used_cpu_user'].map((name) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]));
  return seconds.reduce((sum, one) => sum + one, 0) * 1e6;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}
