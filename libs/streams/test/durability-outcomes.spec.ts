import { beforeEach, expect, it } from '@jest/globals';
import { listen, type Ordering, replicated } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { subscribe } from './fixture.js';
import { Step, stepsOf } from './ordered/keyed.js';
import { Tape } from './ordered/tape.js';
import { ReplicatedBed } from './replicated-bed.js';

const bed = new ReplicatedBed('durability-outcomes');
/** Each with the messages that begin while no replica has an outcome. */
const MODES: readonly [string, number[], { readonly ordering?: Ordering }][] = [
  ['shared: others go on', [0, 1, 2], {}],
  ['ordered: the next one of its key waits', [0], { ordering: { by: 'key' } }],
];

beforeEach(() => bed.follow());

it.each(MODES)('an outcome counts when replicas have it, and is written again until then (%s)', async (_, begun, mode) => {
  const process = await bed.start({ leaseMs: 2_000 });
  const tape = new Tape();
  const definition = { topic: Step, group: 'g', durability: replicated(1, '200ms'), ...mode };
  const subscription = await subscribe(process, definition, async (step: Step) => {
    tape.add(step);
  });
  await bed.inStep();
  bed.replica.pause();
  const codes = new Set<string | undefined>();
  const counts: number[] = [];
  const stopListening = listen('loop-failed', ({ loop, error, failures }) => {
    if (loop !== 'settle') return;
    codes.add(error.code);
    counts.push(failures);
  });
  await process.publisher.publishMany(Step, stepsOf(1, 3));
  const isWaiting = (): boolean => subscription.problem()?.includes('0 of 1 replicas confirmed the outcome') === true;
  await waitFor(isWaiting, { what: 'an outcome to wait for replicas', timeoutMs: 20_000 });
  expect(tape.of(0)).toEqual(begun);
  stopListening();
  // It is no outage: those have lines of their own in the log.
  expect([...codes]).toEqual(['REDIS_FAILED']);
  // They follow one another, so that the log thins them out.
  expect(counts).toEqual(counts.map((_, index) => index + 1));
  bed.replica.resume();
  await bed.drained(process, Step, 'g');
  await waitFor(() => subscription.problem() === null, { what: 'the outcomes to be confirmed', timeoutMs: 20_000 });
  expect([tape.of(0), await bed.state(process, Step, 'g')]).toMatchObject([[0, 1, 2], { handled: 3, lag: 0 }]);
});
