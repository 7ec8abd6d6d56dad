import { setTimeout as pause } from 'node:timers/promises';
import { row, type Row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene, type Scene } from './scene.js';
import type { Stage } from '../stage.js';

const SECONDS = 10;
const SETTLE_MS = 3_000;
const PARTITIONS = 16;
/** Topics in one process -> may use at most so many cores. */
const TOPICS = [1, 10, 100, 1_000];
const FEW_CORES = 0.05;

/** The commands and the CPU of processes that have nothing to do. */
export const idle: Measure = {
  name: 'idle',
  run: async (stage) =>
    [...(await members(1, 4)), ...(await members(4, 12)), ...(await fiftyTopics()), ...(await manyTopics(stage))],
};

function members(count: number, bound: number): Promise<Row[]> {
  return inScene(async (scene) => {
    for (let member = 0; member < count; member += 1) await scene.consumer({ partitions: PARTITIONS });
    const commands = await quietCommands(scene);
    return [row(`idle, 1 subscription of 16 partitions, ${count} members`, commands, { unit: 'commands/s', bound: ['<=', bound] })];
  });
}

function fiftyTopics(): Promise<Row[]> {
  return inScene(async (scene) => {
    await scene.consumer({ topics: 50, partitions: PARTITIONS });
    const connections = await scene.probe.connections();
    return [
      row('idle, 50 topics of 16 partitions, 1 process', await quietCommands(scene), { unit: 'commands/s', bound: ['<=', 60] }),
      row('connections, 50 topics of 16 partitions, 1 process', connections, { unit: 'connections', bound: ['<=', 12] }),
    ];
  });
}

async function manyTopics(stage: Stage): Promise<Row[]> {
  const rows: Row[] = [];
  for (const topics of TOPICS) {
    if (!stage.hasTime()) throw new Error(`${topics} topics: the time was up`);
    rows.push(...(await cores(topics)));
  }
  return rows;
}

function cores(topics: number): Promise<Row[]> {
  return inScene(async (scene) => {
    const consumer = await scene.consumer({ topics, partitions: PARTITIONS });
    await pause(SETTLE_MS);
    const before = await consumer.cpuTimeUs();
    const redis = await scene.probe.cores(SECONDS);
    const node = ((await consumer.cpuTimeUs()) - before) / (SECONDS * 1e6);
    const name = `idle, ${topics} topics of 16 partitions`;
    const unit = { unit: 'cores', bound: ['<=', FEW_CORES] } as const;
    return [row(`${name}: Node`, node, unit), row(`${name}: Redis`, redis, unit)];
  });
}

/** A second, once everything has started. */
async function quietCommands(scene: Scene): Promise<number> {
  await pause(SETTLE_MS);
  return (await scene.probe.commands(SECONDS)) / SECONDS;
}
