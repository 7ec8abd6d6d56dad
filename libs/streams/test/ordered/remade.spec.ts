import { describe, expect, it } from '@jest/globals';
import { Bed } from '../bed.js';
import { subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { Tape } from './tape.js';

const bed = new Bed('remade');

describe('a group that Redis lost while no member lived gives no settled message again', () => {
  it.each([['in order', { by: 'key' } as const], ['shared', undefined]])('to any of the members that start then: %s', async (_, ordering) => {
    const target = { topic: Step, group: 'g', ...(ordering ? { ordering } : {}) };
    const [first, tape] = [await bed.start(), new Tape()];
    await subscribe(first, target, async (step: Step) => tape.add(step));
    await first.publisher.publishMany(Step, stepsOf(8, 6));
    await bed.drained(first, Step, 'g');
    await first.streams.stop(1_000);
    for (const partition of [0, 1, 2, 3]) await bed.command('XGROUP', 'DESTROY', bed.place(Step, 'g', partition).keys.log, 'g');
    const others = [await bed.start(), await bed.start(), await bed.start()];
    await Promise.all(others.map((process) => subscribe(process, target, async (step: Step) => tape.add(step))));
    await others[0]!.publisher.publishMany(Step, stepsOf(8, 7).slice(48));
    await bed.drained(others[0]!, Step, 'g');
    for (let thing = 0; thing < 8; thing += 1) expect(tape.of(thing)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

it('settled messages that are read once more have their owner read none of its notes again', async () => {
  const [process, tape] = [await bed.start(), new Tape()];
  await subscribe(process, { topic: Step, group: 'g', ordering: { by: 'key' } }, async (step: Step) => tape.add(step));
  const stepOf = (number: number): { payload: Step }[] => stepsOf(8, number + 1).slice(number * 8);
  const publish = (number: number): Promise<unknown> => process.publisher.publishMany(Step, stepOf(number));
  for (let number = 0; number < 100; number += 1) await publish(number);
  await bed.drained(process, Step, 'g');
  const connection = process.redis.publish;
  const call = connection.call.bind(connection);
  let notes = 0;
  connection.call = async (name, ...args) => {
    if (name === 'HGETALL') notes += 1;
    return call(name, ...args);
  };
  for (const partition of [0, 1, 2, 3]) await bed.command('XGROUP', 'DESTROY', bed.place(Step, 'g', partition).keys.log, 'g');
  await publish(100);
  await bed.drained(process, Step, 'g');
  for (let thing = 0; thing < 8; thing += 1) expect(tape.of(thing)).toEqual(Array.from({ length: 101 }, (_, number) => number));
  // Each partition is found lost and made again, which may take two tries.
  expect(notes).toBeLessThanOrEqual(3 * 4);
});
