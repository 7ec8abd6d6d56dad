import { describe, expect, it } from '@jest/globals';
import { fixed, type RetryPolicy } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { Tape } from './tape.js';

const BY_KEY = { by: 'key' } as const;
const THREE_TIMES: RetryPolicy = { attempts: 3, backoff: fixed('5ms'), deadLetterOn: [] };

const bed = new Bed('ordered');

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('messages of one key', () => {
  it('are handled in their order, those of other keys beside them', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    let [atOnce, most] = [0, 0];
    await subscribe(process, { topic: Step, group: 'g', ordering: BY_KEY }, async (step: Step) => {
      tape.add(step);
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce -= 1;
    });
    await process.publisher.publishMany(Step, stepsOf(20, 25));
    await bed.drained(process, Step, 'g');
    for (const thing of upTo(20)) expect(tape.of(thing)).toEqual(upTo(25));
    expect(most).toBeGreaterThan(1);
  });

  it('wait while one of them is tried again in its place', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    await subscribe(process, { topic: Step, group: 'g', ordering: BY_KEY, retry: THREE_TIMES }, async (step: Step, { attempt }) => {
      tape.add(step);
      if (step.thing === 0 && step.step === 1 && attempt < 3) throw new Error('not yet');
    });
    await process.publisher.publishMany(Step, stepsOf(2, 4));
    await bed.drained(process, Step, 'g');
    expect([tape.of(0), tape.of(1)]).toEqual([[0, 1, 1, 1, 2, 3], [0, 1, 2, 3]]);
    expect(await bed.state(process, Step, 'g')).toMatchObject({ lag: 0, deadLetters: 0 });
  });

  it('go on behind one that is given up', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    await subscribe(process, { topic: Step, group: 'g', ordering: BY_KEY, retry: THREE_TIMES }, async (step: Step) => {
      tape.add(step);
      if (step.step === 1) throw new Error('never');
    });
    await process.publisher.publishMany(Step, stepsOf(2, 3));
    await bed.drained(process, Step, 'g');
    expect([tape.of(0), tape.of(1)]).toEqual([[0, 1, 1, 1, 2], [0, 1, 1, 1, 2]]);
    expect((await bed.deadLetters(process, Step, 'g')).map(({ attempts }) => attempts)).toEqual([3, 3]);
  });
});

describe('partitions of an ordered group', () => {
  it('go to a second member, and keep their order', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    const handle = async (step: Step): Promise<void> => {
      tape.add(step);
      await new Promise((resolve) => setTimeout(resolve, 1));
    };
    await subscribe(first, { topic: Step, group: 'g', ordering: BY_KEY }, handle);
    const publishing = first.publisher.publishMany(Step, stepsOf(30, 30));
    let ofSecond = 0;
    await subscribe(second, { topic: Step, group: 'g', ordering: BY_KEY }, async (step: Step) => {
      ofSecond += 1;
      await handle(step);
    });
    await publishing;
    let steps = 30;
    for (; ofSecond === 0; steps += 1) await first.publisher.publishMany(Step, stepsOf(30, steps + 1).slice(steps * 30));
    await bed.drained(first, Step, 'g');
    for (const thing of upTo(30)) expect(tape.of(thing)).toEqual(upTo(steps));
  });

  it('go to another member when the process of their owner vanishes, which begins with what was not settled', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    const stuck = signal();
    await subscribe(first, { topic: Step, group: 'g', ordering: BY_KEY, concurrency: 4 }, async (step: Step) => {
      if (step.step === 0) return;
      stuck.fire();
      await new Promise(() => undefined);
    });
    await first.publisher.publishMany(Step, stepsOf(3, 3));
    await stuck.promise;
    first.vanish();
    await subscribe(second, { topic: Step, group: 'g', ordering: BY_KEY }, async (step: Step) => tape.add(step));
    await waitFor(() => tape.count >= 6, { what: 'the rest of the steps' });
    await bed.drained(second, Step, 'g');
    for (const thing of upTo(3)) expect(tape.of(thing).filter((step) => step > 0)).toEqual([1, 2]);
  });
});
