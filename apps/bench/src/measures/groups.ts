import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

const COUNTS = [1, 4, 16];

/** The cost of a delivery when more groups get each message. */
export const groups: Measure = {
  name: 'groups',
  run: async (stage) => {
    const costs = new Map<number, number>();
    for (const count of COUNTS) costs.set(count, await costOf(stage, count));
    return [
      ...COUNTS.map((count) => row(`CPU a delivery, ${count} groups`, costs.get(count)!, { unit: 'us' })),
      row('CPU a delivery, 16 groups / 1', costs.get(16)! / costs.get(1)!, { unit: 'x', bound: ['<=', 1.15] }),
    ];
  },
};

/** Microseconds of consumer and Redis. */
function costOf({ options: { size } }: Stage, count: number): Promise<number> {
  return inScene(async (scene) => {
    const pair = await scene.pair({ groups: count });
    await pair.saturate(Math.ceil(size / count), count);
    const { cpu } = await pair.saturate(Math.ceil(size / count), count);
    return (cpu.consumer + cpu.server) / count;
  });
}
