import { nowUs } from '../order.js';
import { row } from '../report/row.js';
import { runRounds } from '../rounds.js';
import type { Stage } from '../stage.js';
import { median } from '../statistics.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';

const LEASE_MS = 3_000;
const PARTITIONS = 16;
const HELD = 16;
const RUNS = 3;

/** The time beyond its lease until another worker handles the messages of a killed one. */
export const killedWorker: Measure = {
  name: 'killed worker',
  seconds: 40,
  async *run(stage) {
    const delays: Delays[] = [];
    await runRounds(stage, RUNS, async () => void delays.push(await delaysOf(stage)));
    const secondsOf = (of: keyof Delays): number => median(delays.map((delay) => delay[of])) / 1e6;
    const limit = { unit: 's', bound: ['<=', 0.5] } as const;
    yield row('kill -9 of a worker: first message handled again, beyond the lease', secondsOf('first'), limit);
    yield row('kill -9 of a worker: last message of 16 partitions handled again, beyond the lease', secondsOf('last'), limit);
  },
};

/** Microseconds beyond the lease. The killed one tended about half of the partitions: the last one shows what that costs. */
interface Delays {
  readonly first: number;
  readonly last: number;
}

function delaysOf(stage: Stage): Promise<Delays> {
  return inScene(stage, async (scene) => {
    const settings = { lease: `${LEASE_MS}ms`, partitions: PARTITIONS };
    const victim = await scene.consumer({ ...settings, handler: 'hold' }, HELD);
    const producer = await scene.producer(settings);
    await producer.saturate(HELD);
    await victim.arrived();
    const other = await scene.consumer(settings, HELD);
    const killedAt = nowUs();
    await victim.kill();
    const { firstAt, at } = await other.arrived();
    const beyond = (handledAt: number): number => handledAt - killedAt - LEASE_MS * 1_000;
    return { first: beyond(firstAt), last: beyond(at) };
  });
}
