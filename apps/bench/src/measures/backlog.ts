import { row } from '../report/row.js';
import { cpuTimeUs } from '../servers/cpu-clock.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

/** Messages that are handled before it is measured: a process that has just started is slower. */
const HEAD_START = 5_000;

/** The cost of a message when many wait. */
export const backlog: Measure = {
  name: 'backlog',
  seconds: 80,
  async *run(stage) {
    const { size, growth } = stage.options;
    const least = size + 2 * HEAD_START;
    const small = await costOf(stage, least);
    yield row(`CPU a message, backlog of ${size}`, small, { unit: 'us' });
    const large = await costOf(stage, Math.max(growth, least));
    yield row(`CPU a message, backlog of ${growth}`, large, { unit: 'us' });
    yield row('CPU a message, large backlog / small', large / small, { unit: 'x', bound: ['<=', 1.15] });
  },
};

/** Microseconds of consumer and Redis. */
function costOf(stage: Stage, waiting: number): Promise<number> {
  const { size } = stage.options;
  return inScene(stage, async (scene) => {
    const first = await scene.consumer();
    const producer = await scene.producer();
    await first.close();
    await producer.saturate(waiting);
    const consumer = await scene.consumer({}, HEAD_START);
    await consumer.arrived();
    await consumer.arm(size);
    const now = (): Promise<[number, number]> => Promise.all([consumer.cpuTimeUs(), cpuTimeUs(scene.server.pid)]);
    const before = await now();
    await consumer.arrived();
    const after = await now();
    return (after[0] - before[0] + after[1] - before[1]) / size;
  });
}
