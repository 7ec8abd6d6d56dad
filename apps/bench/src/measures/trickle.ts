import { row, type Row } from '../report/row.js';
import type { SideProcess } from '../sides/side-process.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

const RATE = 50;
const SECONDS = 6;
const PARTITIONS = 16;
const MEMBERS = [1, 4];
/** Each way. */
const DELAY_MS = 1;

/** The cost of a few messages a second, and how long they take when Redis is further away. */
export const trickle: Measure = {
  name: 'trickle',
  seconds: 80,
  async *run(stage) {
    for (const members of MEMBERS) yield await commands(stage, members);
    for (const members of MEMBERS) yield* await distance(stage, members);
  },
};

function commands(stage: Stage, members: number): Promise<Row> {
  return inScene(stage, async (scene) => {
    for (let member = 0; member < members; member += 1) await scene.consumer({ partitions: PARTITIONS });
    const consumers = await scene.probe.addresses();
    const producer = await scene.producer({ partitions: PARTITIONS });
    await producer.pace(RATE, RATE);
    const [written] = await Promise.all([scene.probe.commands(SECONDS, consumers), producer.pace(RATE * SECONDS, RATE)]);
    return row(`commands a message at 50/s, 16 partitions, ${members} members, publishing aside`, written / (RATE * SECONDS), {
      unit: 'commands', bound: ['<=', 4],
    });
  });
}

function distance(stage: Stage, members: number): Promise<Row[]> {
  return inScene(stage, async (scene) => {
    const far = await scene.wayOf(DELAY_MS);
    const consumers: SideProcess[] = [];
    while (consumers.length < members) consumers.push(await scene.consumer({ partitions: PARTITIONS }, 0, far));
    const producer = await scene.producer({ partitions: PARTITIONS }, far);
    await producer.pace(RATE, RATE);
    const count = RATE * SECONDS;
    for (const consumer of consumers) await consumer.arm(members === 1 ? count : Math.floor(count / (2 * members)));
    const arriving = Promise.all(consumers.map((consumer) => consumer.arrived()));
    const [arrivals] = await Promise.all([arriving, producer.pace(count, RATE)]);
    const worst = (of: 'p50' | 'p95'): number => Math.max(...arrivals.map((arrival) => arrival[of])) / 1_000;
    const name = `with 2 ms of round trip, 50/s, 16 partitions, ${members} members`;
    return [
      row(`${name}: median`, worst('p50'), { unit: 'ms', bound: ['<=', 8] }),
      row(`${name}: p95`, worst('p95'), { unit: 'ms', bound: ['<=', 14] }),
    ];
  });
}
