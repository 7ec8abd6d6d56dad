import { describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { groupPartition } from '../../src/consume/group-partition.js';
import { ForwardLane } from '../../src/forward/forward-lane.js';
import { forwardedOf } from '../../src/forward/forward-text.js';
import { sendLane } from '../../src/forward/forwarder.js';
import { Bed } from '../bed.js';
import { Gate } from './gate.js';
import { ADD, forwardOf, partsOf } from './parts.js';
import { randomFrom } from './random.js';
import { A, B } from './stages.js';
import { countsOf, storedValues } from './stored-values.js';

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed + 1);
const ENTRIES = 12;
const GENERATION = 'server.1';

interface Schedule {
  readonly seed: number;
  readonly lossy: number;
  /** The topic is given one more partition in between. */
  readonly raises: boolean;
}

describe('two that send the same forward log', () => {
  const bed = new Bed('forward-races');

  it.each(SEEDS)('store each message once and in order, however their steps interleave (seed %d)', async (seed) => {
    const stored = await play({ seed, lossy: 0, raises: false });
    expect(countsOf(stored.flat(), ENTRIES * 2)).toEqual({ lost: 0, doubled: 0 });
    for (const values of stored) expect(values).toEqual([...values].sort((one, other) => one - other));
  });

  it.each(SEEDS.slice(0, 15))('store each message once though replies are lost (seed %d)', async (seed) => {
    const stored = await play({ seed, lossy: 0.2, raises: false });
    expect(countsOf(stored.flat(), ENTRIES * 2)).toEqual({ lost: 0, doubled: 0 });
  });

  it.each(SEEDS.slice(0, 15))('store each message once though the topic is given more partitions (seed %d)', async (seed) => {
    const stored = await play({ seed, lossy: 0.1, raises: true });
    expect(countsOf(stored.flat(), ENTRIES * 2)).toEqual({ lost: 0, doubled: 0 });
  });

  async function play({ seed, lossy, raises }: Schedule): Promise<number[][]> {
    const random = randomFrom(seed * 7_919);
    const gate = new Gate(random, lossy);
    bed.prefix = `${bed.prefix}-${seed}`;
    const process = await bed.start();
    await process.streams.declare(topicOf(B));
    const place = groupPartition(bed.prefix, { topic: topicOf(A).name, partition: 0 }, 'g');
    const member = 'p.1';
    await bed.command('HSET', place.groupKeys.control, 'lanes', 1, 'lane:0', `${member} ${GENERATION} 0`);
    const parts = { place, member, jobs: undefined, living: () => [], signal: new AbortController().signal };
    const seen = gate.of(process.redis);
    const own = partsOf(process, bed.prefix, { place, seen });
    const lane = new ForwardLane({ ...parts, ...own });
    let isAdded = false;
    const adding = async (): Promise<void> => {
      for (let index = 0; index < ENTRIES; index += 1) {
        const forwarded = forwardedOf([2 * index, 2 * index + 1].map((value) => forwardOf(value)));
        const name = `0:${GENERATION}:${2 * index + 1}:2`;
        await seen.publishFor(place.keys.log).call('PING').catch(() => undefined);
        const { control, forward } = place.groupKeys;
        await bed.command('EVAL', ADD, 2, control, forward, `${member} ${GENERATION} ${2 * index + 2}`, name, forwarded.text);
        // The reply to a settlement may come late, or never.
        if (random() < 0.7) lane.added(name, forwarded.sendables);
        if (raises && index === ENTRIES / 2) await process.streams.topics.raisePartitions(B, { from: 2, to: 3 });
      }
      isAdded = true;
    };
    const sendingLeft = async (): Promise<void> => {
      const left = { ...parts, ...partsOf(process, bed.prefix, { place, seen }) };
      for (let isLast = false; ; ) {
        const { names } = await left.log.read().catch(() => ({ names: [] }));
        const entries = await left.log.entries(names).catch(() => []);
        if (entries.length > 0) await sendLane(left, entries).catch(() => undefined);
        if (isLast && (await bed.command('HLEN', place.groupKeys.forward)) === 0) return;
        isLast = isAdded;
      }
    };
    await gate.until(Promise.all([adding(), sendingLeft(), sendingLeft()]).then(() => lane.drain()));
    const topic = { ...topicOf(B), partitions: raises ? 3 : 2 };
    return storedValues((...args) => bed.read(...args), bed.prefix, topic);
  }
});
