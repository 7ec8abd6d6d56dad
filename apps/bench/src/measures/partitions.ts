import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { MillraceSettings } from '../contenders/contender.js';
import type { Stage } from '../stage.js';
import { median } from '../statistics.js';

const COUNTS = [1, 4, 16, 64];
const ROUNDS = 3;

/** The cost of a message on more partitions, and when one of many has all the load. */
export const partitions: Measure = {
  name: 'partitions',
  run: async (stage) => {
    const costs = new Map<number, number>();
    for (const count of COUNTS) costs.set(count, await costOf(stage, { partitions: count }));
    const skewed = await costOf(stage, { partitions: 64, oneCustomer: true });
    const one = costs.get(1)!;
    return [
      ...COUNTS.map((count) => row(`CPU a message, ${count} partitions`, costs.get(count)!, { unit: 'us' })),
      row('CPU a message, 16 partitions / 1', costs.get(16)! / one, { unit: 'x', bound: ['<=', 1.15] }),
      row('CPU a message, all on one of 64 partitions / a topic of one', skewed / one, { unit: 'x', bound: ['<=', 1.3] }),
    ];
  },
};

/** Microseconds in all three processes. */
function costOf({ options: { size, rounds } }: Stage, settings: MillraceSettings): Promise<number> {
  return inScene(async (scene) => {
    const pair = await scene.pair(settings);
    await pair.saturate(size);
    const costs: number[] = [];
    for (let round = 0; round < Math.min(ROUNDS, rounds); round += 1) costs.push((await pair.saturate(size)).cpu.total);
    return median(costs);
  });
}
