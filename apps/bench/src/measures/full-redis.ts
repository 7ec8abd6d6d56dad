import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

const GROUPS = 2;

/** Redis is full, one group fails at everything and one is well: the second must drain, and the first must not grow. */
export const fullRedis: Measure = {
  name: 'full redis',
  seconds: 40,
  async *run(stage) {
    const grown = await growth(stage);
    yield row('full Redis: memory grows while a healthy group drains beside a failing one', grown * 100, { unit: '%', bound: ['<=', 5] });
  },
};

/** The share of the memory that is used when Redis is full. */
function growth(stage: Stage): Promise<number> {
  return inScene(stage, async (scene) => {
    const settings = { groups: GROUPS, handler: 'fail', afflicted: 1 } as const;
    const first = await scene.consumer(settings);
    const observer = await scene.observer();
    await first.close();
    const producer = await scene.producer();
    await producer.saturate(stage.options.size);
    await producer.close();
    const full = await scene.probe.usedMemory();
    await scene.consumer(settings);
    await scene.probe.limitMemory(full);
    await observer.until(1, ({ lag }) => lag === 0);
    return (await scene.probe.usedMemory()) / full - 1;
  });
}
