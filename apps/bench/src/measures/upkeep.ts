import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

const SECONDS = 10;
const GROUPS = 20;
const EACH = 1_000;
const MEGABYTE = 1e6;

/** The bytes that processes send while they hold very many messages and nothing happens. */
export const upkeep: Measure = {
  name: 'upkeep',
  seconds: 30,
  async *run(stage) {
    yield row(`sent in ${SECONDS} s with ${GROUPS * EACH} messages in hand`, await sentMegabytes(stage), { unit: 'MB', bound: ['<=', 0.2] });
  },
};

function sentMegabytes(stage: Stage): Promise<number> {
  return inScene(stage, async (scene) => {
    const consumer = await scene.consumer({ handler: 'hold', groups: GROUPS, concurrency: EACH }, GROUPS * EACH);
    const producer = await scene.producer();
    await producer.saturate(EACH);
    await consumer.arrived();
    await producer.close();
    const before = await scene.probe.bytesReceived();
    await stage.pause(SECONDS * 1_000);
    return ((await scene.probe.bytesReceived()) - before) / MEGABYTE;
  });
}
