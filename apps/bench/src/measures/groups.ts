import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

const COUNTS = [1, 4, 16];

/** The cost of a delivery when more groups get each message. */
export const groups: Measure = {
  name: 'groups',
  seconds: 60,
  async *run(stage) {
    const costs = new Map<number, number>();
    for (const count of COUNTS) {
      const cost = await costOf(stage, count);
      costs.set(count, cost);
      yield row(`CPU a delivery, ${count} groups`, cost, { unit: 'us' });
    }
    yield row('CPU a delivery, 16 groups / 1', costs.get(16)! / costs.get(1)!, { unit: 'x', bound: ['<=', 1.15] });
  },
};

/** Microseconds of consumer and Redis. */
function costOf(stage: Stage, count: number): Promise<number> {
  const size = Math.ceil(stage.options.size / count);
  return inScene(stage, async (scene) => {
    const pair = await scene.pair({ groups: count });
    await pair.saturate(size, count);
    const { cpu } = await pair.saturate(size, count);
    return (cpu.consumer + cpu.server) / count;
  });
}
