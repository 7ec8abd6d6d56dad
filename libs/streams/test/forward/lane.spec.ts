import { beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import type { GroupPartition } from '../../src/consume/group-partition.js';
import type { EntryName, ForwardEntry } from '../../src/forward/forward-entry.js';
import { ForwardLane } from '../../src/forward/forward-lane.js';
import { ForwardLog } from '../../src/forward/forward-log.js';
import { forwardedOf } from '../../src/forward/forward-text.js';
import { Bed } from '../bed.js';
import type { Process } from '../fixture.js';
import { ADD, forwardOf, type OwnParts, partsOf } from './parts.js';
import { A, B } from './stages.js';
import { storedValues } from './stored-values.js';

/** Numbers of microtasks: the lane takes fewer to end. */
const STEPS = Array.from({ length: 8 }, (_, steps) => steps);
const [MEMBER, GENERATION] = ['p.1', 'server.1'];

const bed = new Bed('forward-lane');
let process: Process;
let place: GroupPartition;

beforeEach(async () => {
  process = await bed.start();
  await process.streams.declare(topicOf(B));
  place = bed.place(A, 'g');
  await bed.command('HSET', place.groupKeys.control, 'lanes', 1, 'lane:0', `${MEMBER} ${GENERATION} 0`);
});

function laneWith(own: OwnParts): ForwardLane {
  const { signal } = new AbortController();
  return new ForwardLane({ place, member: MEMBER, jobs: undefined, living: () => [], signal, ...own });
}

/** As a settlement does. @returns the name of the entry */
async function addEntry(first: number, count: number, text: string): Promise<string> {
  const name = `0:${GENERATION}:${first}:${count}`;
  const { control, forward } = place.groupKeys;
  await bed.command('EVAL', ADD, 2, control, forward, `${MEMBER} ${GENERATION} ${first + count - 1}`, name, text);
  return name;
}

/** Adds the message of this number, as a settlement does. @returns how its member tells its lane */
async function add(number: number): Promise<(lane: ForwardLane) => void> {
  const { sendables, text } = forwardedOf([forwardOf(number)]);
  const name = await addEntry(number, 1, text);
  return (lane) => lane.added(name, sendables);
}

const stored = async (): Promise<number[]> => (await storedValues((...args) => bed.read(...args), bed.prefix, B)).flat().sort();

describe('the lane of a member', () => {
  it.each(STEPS)('sends what is added while it ends, %d steps behind its last removal', async (steps) => {
    let tellNext: (() => Promise<void>) | null = null;
    let telling: Promise<void> | undefined;
    class Log extends ForwardLog {
      override async remove(names: readonly EntryName[]): Promise<void> {
        await super.remove(names);
        telling ??= tellNext?.();
      }
    }
    const own = partsOf(process, bed.prefix, { place });
    const lane = laneWith({ ...own, log: new Log({ redis: process.redis }, place) });
    (await add(1))(lane);
    await lane.drain();
    const [tellSecond, tellThird] = [await add(2), await add(3)];
    tellNext = async () => {
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      tellThird(lane);
    };
    tellSecond(lane);
    await lane.drain();
    await telling;
    await lane.drain();
    expect(await stored()).toEqual([1, 2, 3]);
  });

  it('does not wait for room that entries take which others sent while it read', async () => {
    class Log extends ForwardLog {
      override async entries(names: readonly EntryName[]): Promise<ForwardEntry[]> {
        await this.remove(names);
        return super.entries(names);
      }
    }
    const own = partsOf(process, bed.prefix, { place });
    const lane = laneWith({ ...own, log: new Log({ redis: process.redis }, place) });
    await addEntry(1, 9_000, '');
    lane.doubt();
    await lane.drain();
    const passed = lane.room().then(() => 'has room');
    const later = new Promise((resolve) => {
      setImmediate(resolve, 'waits');
    });
    expect(await Promise.race([passed, later])).toBe('has room');
  });
});
