import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { MillraceSettings } from '../contenders/contender.js';
import type { Stage } from '../stage.js';
import { runRounds } from '../rounds.js';
import { median } from '../statistics.js';

const COUNTS = [1, 4, 16, 64];
const ROUNDS = 3;
/** The share of a round that does not count. */
const WARM_UP = 0.25;

/** The cost of a message on more partitions, and when one of many has all the load. */
export const partitions: Measure = {
  name: 'partitions',
  seconds: 150,
  async *run(stage) {
    const costs = new Map<number, number>();
    for (const [index, count] of COUNTS.entries()) {
      // One more is measured after them.
      const cost = await costOf(stage.part(1 / (COUNTS.length + 1 - index)), { partitions: count });
      costs.set(count, cost);
      yield row(`CPU a message, ${count} partitions`, cost, { unit: 'us' });
    }
    const one = costs.get(1)!;
    yield row('CPU a message, 16 partitions / 1', costs.get(16)! / one, { unit: 'x', bound: ['<=', 1.15] });
    const skewed = await costOf(stage, { partitions: 64, oneCustomer: true });
    yield row('CPU a message, all on one of 64 partitions / a topic of one', skewed / one, { unit: 'x', bound: ['<=', 1.3] });
  },
};

/** Microseconds in all three processes. */
function costOf(stage: Stage, settings: MillraceSettings): Promise<number> {
  const { size, rounds } = stage.options;
  return inScene(stage, async (scene) => {
    const pair = await scene.pair(settings);
    await pair.saturate(Math.ceil(size * WARM_UP));
    const costs: number[] = [];
    await runRounds(stage, Math.min(ROUNDS, rounds), async () => void costs.push((await pair.saturate(size)).cpu.total));
    return median(costs);
  });
}
