import { describe, expect, it } from '@jest/globals';
import { partitionKeys } from '../../src/keys.js';
import { placeOf } from '../../src/publish/partitioner.js';
import { Bed } from '../bed.js';
import { type Process, signal } from '../fixture.js';
import { Grown, upTo } from './grown.js';

const THINGS = 24;

const bed = new Bed('raise-move');

function at(thing: number, partitions: number): number {
  return placeOf(`thing-${thing}`, partitions);
}

interface Withheld {
  /** Partitions of batches, in the order in which they were sent. */
  readonly sent: number[];
  readonly stored: Promise<void>;
  readonly answer: () => void;
}

/** Withholds the answer to the first batch of a process for a partition: `stored` resolves instead. */
function withheld({ redis: { publish } }: Process, partition: number): Withheld {
  const run = publish.run.bind(publish);
  const logs = upTo(4).map((each) => partitionKeys(bed.prefix, 'test.grown', each).log);
  const [sent, stored, answered] = [[] as number[], signal(), signal()];
  publish.run = async (script, keys, args) => {
    if (script.name !== 'publish.lua') return run(script, keys, args);
    const isFirst = logs[partition] === keys[0] && !sent.includes(partition);
    sent.push(logs.indexOf(keys[0]!));
    const reply = await run(script, keys, args);
    if (isFirst) stored.fire();
    if (isFirst) await answered.promise;
    return reply;
  };
  return { sent, stored: stored.promise, answer: answered.fire };
}

/** Resolves when a process has had the answer to its next call of a script for operators. */
function callOf({ redis: { control } }: Process, name: string): Promise<void> {
  const run = control.run.bind(control);
  const called = signal();
  control.run = (script, ...args) => {
    const reply = run(script, ...args);
    if (script.name === name) void reply.then(() => called.fire());
    return reply;
  };
  return called.promise;
}

describe('a publisher that moves to more partitions', () => {
  it('sends nothing to new partitions while a batch is on its way to an old one', async () => {
    const [operator, older] = [await bed.start(), await bed.start()];
    await Promise.all(upTo(THINGS).map((thing) => older.publisher.publish(Grown, { thing, step: 0 })));
    const thingAt = (before: number): number => upTo(THINGS).find((thing) => at(thing, 2) === before && at(thing, 4) !== before)!;
    const [moving, refused] = [thingAt(0), thingAt(1)];
    const { sent, stored, answer } = withheld(older, 0);
    const publish = (thing: number, step: number): Promise<unknown> => older.publisher.publish(Grown, { thing, step });
    const first = publish(moving, 1);
    await stored;
    await operator.streams.topics.raisePartitions(Grown, { from: 2, to: 4 });
    const looked = callOf(older, 'raise-count.lua');
    const others = [publish(moving, 2), publish(refused, 1)];
    await looked;
    // The calls of one connection are answered in their order: what is sent too early is seen by then.
    for (let calls = 0; calls < 20; calls += 1) await older.redis.publish.call('PING');
    const before = [...sent];
    answer();
    await Promise.all([first, ...others]);
    expect(before).toEqual([0, 1]);
    expect(sent.slice(2).sort()).toEqual([2, 3]);
  });
});
