import { nowUs } from '../order.js';
import { row } from '../report/row.js';
import { median } from '../statistics.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';

const LEASE_MS = 3_000;
const HELD = 16;
const RUNS = 5;

/** How long after a worker was killed another one handles what it held, beyond its lease. */
export const killedWorker: Measure = {
  name: 'killed worker',
  run: async (stage) => {
    const delays: number[] = [];
    for (let run = 0; run < RUNS && stage.hasTime(); run += 1) delays.push(await delayMs());
    const seconds = median(delays) / 1_000;
    return [row('kill -9 of a worker: first message handled again, beyond the lease', seconds, { unit: 's', bound: ['<=', 0.5] })];
  },
};

function delayMs(): Promise<number> {
  return inScene(async (scene) => {
    const lease = `${LEASE_MS}ms`;
    const victim = await scene.consumer({ lease, handler: 'hold' }, HELD);
    const producer = await scene.producer();
    await producer.saturate(HELD);
    await victim.arrived();
    const other = await scene.consumer({ lease }, 1);
    const killedAt = nowUs();
    await victim.kill();
    const { at } = await other.arrived();
    return (at - killedAt) / 1_000 - LEASE_MS;
  });
}
