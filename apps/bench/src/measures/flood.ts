import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

/** The default of the library. */
const BUDGET_BYTES = 64 * 1_024 ** 2;
/** About what the budget holds of orders of 200 bytes, and half as many again. */
const COUNT = 125_000;

/** The memory that a publisher holds when it waits for nothing. */
export const flood: Measure = {
  name: 'flood',
  seconds: 90,
  async *run(stage) {
    const { heap, refused } = await flooded(stage);
    yield row('heap of a publisher that waits for nothing / its budget', heap / BUDGET_BYTES, { unit: 'x', bound: ['<=', 2] });
    yield row(`publishes refused of ${COUNT} that nobody waits for`, refused, { unit: 'messages' });
  },
};

function flooded(stage: Stage): Promise<{ heap: number; refused: number }> {
  return inScene(stage, async (scene) => {
    const producer = await scene.producer();
    const before = await producer.highestHeap();
    const refused = await producer.flood(COUNT);
    return { heap: (await producer.highestHeap()) - before, refused };
  });
}
