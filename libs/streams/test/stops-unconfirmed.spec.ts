import { expect, it } from '@jest/globals';
import { listen, type Ordering, replicated } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { Step, stepsOf } from './ordered/keyed.js';
import { Tape } from './ordered/tape.js';

const bed = new Bed('stops-unconfirmed');
/** A wait that is longer than the rest of a stop: what ends with the stop did not wait for it. */
const DURABILITY = replicated(1, '4s');
/** Each with the messages that begin while no replica has an outcome. */
const MODES: readonly [string, number[], { readonly ordering?: Ordering }][] = [
  ['shared', [0, 1, 2], {}],
  ['ordered', [0], { ordering: { by: 'key' } }],
];

it.each(MODES)('a stop waits for replicas until shortly before its deadline: outcomes are stored then, and said to be unconfirmed (%s)', async (_, begun, mode) => {
  const first = await bed.start({ leaseMs: 60_000 });
  const tape = new Tape();
  const definition = { topic: Step, group: 'g', durability: DURABILITY, ...mode };
  const handle = async (step: Step): Promise<void> => tape.add(step);
  const subscription = await subscribe(first, definition, handle);
  const said: string[] = [];
  const changes: string[] = [];
  const ends = [
    listen('loop-failed', ({ error }) => void said.push(error.message)),
    listen('ownership', ({ change }) => void changes.push(change)),
  ];
  await first.publisher.publishMany(Step, stepsOf(1, 3));
  await waitFor(() => tape.of(0).length === begun.length, { what: 'the handlers to end' });
  await subscription.stop(2_500);
  for (const end of ends) end();
  expect(said).toEqual([expect.stringContaining('outcomes count from now on when the primary has stored them')]);
  // A partition whose outcomes still wait at the deadline is lost to its owner.
  expect(changes).not.toContain('lost');
  const second = await bed.start({ leaseMs: 60_000 });
  expect(await bed.state(second, Step, 'g')).toMatchObject({ handled: begun.length });
  await subscribe(second, { ...definition, durability: 'server' }, handle);
  await bed.drained(second, Step, 'g');
  expect(tape.of(0)).toEqual([0, 1, 2]);
});
