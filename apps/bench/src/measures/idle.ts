import { row, type Row } from '../report/row.js';
import type { Stage } from '../stage.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';

const SECONDS = 5;
/** Longer than the pause between two looks of an idle subscription. */
const ROUND_SECONDS = 40;
const SETTLE_MS = 3_000;
const PARTITIONS = 16;
/** Members of one subscription -> commands a second that they may send. */
const MEMBERS = new Map([[1, 4], [4, 12]]);
/** Topics in one process. */
const TOPICS = [1, 10, 100, 1_000];
const FEW_CORES = 0.05;

/** The commands and the connections of processes that have nothing to do. */
export const idle: Measure = {
  name: 'idle',
  seconds: 80,
  async *run(stage) {
    for (const [count, bound] of MEMBERS) yield await members(stage, count, bound);
    yield* await fiftyTopics(stage);
  },
};

/** The CPU of one process that has nothing to do, with ever more topics. */
export const idleTopics: Measure = {
  name: 'idle topics',
  seconds: 220,
  async *run(stage) {
    for (const topics of TOPICS) yield* await cores(stage, topics);
  },
};

function members(stage: Stage, count: number, bound: number): Promise<Row> {
  return inScene(stage, async (scene) => {
    for (let member = 0; member < count; member += 1) await scene.consumer({ partitions: PARTITIONS });
    await stage.pause(SETTLE_MS);
    const commands = (await scene.probe.commands(SECONDS)) / SECONDS;
    return row(`idle, 1 subscription of 16 partitions, ${count} members`, commands, { unit: 'commands/s', bound: ['<=', bound] });
  });
}

function fiftyTopics(stage: Stage): Promise<Row[]> {
  return inScene(stage, async (scene) => {
    await scene.consumer({ topics: 50, partitions: PARTITIONS });
    await stage.pause(SETTLE_MS);
    const connections = await scene.probe.connections();
    const commands = (await scene.probe.commands(SECONDS)) / SECONDS;
    return [
      row('idle, 50 topics of 16 partitions, 1 process', commands, { unit: 'commands/s', bound: ['<=', 60] }),
      row('connections, 50 topics of 16 partitions, 1 process', connections, { unit: 'connections', bound: ['<=', 12] }),
    ];
  });
}

function cores(stage: Stage, topics: number): Promise<Row[]> {
  return inScene(stage, async (scene) => {
    const consumer = await scene.consumer({ topics, partitions: PARTITIONS });
    await stage.pause(SETTLE_MS);
    const before = await consumer.cpuTimeUs();
    const redis = await scene.probe.cores(ROUND_SECONDS);
    const node = ((await consumer.cpuTimeUs()) - before) / (ROUND_SECONDS * 1e6);
    const name = `idle, ${topics} topics of 16 partitions`;
    const limit = { unit: 'cores', bound: ['<=', FEW_CORES] } as const;
    return [row(`${name}: Node`, node, limit), row(`${name}: Redis`, redis, limit)];
  });
}
