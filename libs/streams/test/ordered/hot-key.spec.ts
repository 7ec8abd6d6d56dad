import { setTimeout } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { type Process, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { BY_KEY, OrderedBed } from './ordered-bed.js';
import { Tape } from './tape.js';

const bed = new OrderedBed('hot');
const MESSAGES = 500;
const HANDLER_MS = 6;

/** Counts the calls of a script by one process. */
function callsOf({ redis }: Process, name: string): () => number {
  let calls = 0;
  for (const connection of [redis.control, redis.publish]) {
    const run = connection.run.bind(connection);
    connection.run = (script, ...args) => {
      if (script.name === name) calls += 1;
      return run(script, ...args);
    };
  }
  return () => calls;
}

it('a backlog of a key with a slow handler is read in large parts, not message by message', async () => {
  const [process, tape] = [await bed.start({ messagesPerEntry: 1 }), new Tape()];
  await process.publisher.publishMany(Step, stepsOf(1, MESSAGES));
  const reads = callsOf(process, 'fetch.lua');
  await subscribe(process, { topic: Step, group: 'g', ordering: BY_KEY }, async (step: Step) => {
    tape.add(step);
    await setTimeout(HANDLER_MS);
  });
  await waitFor(() => tape.count === MESSAGES, { what: 'all messages to be handled', timeoutMs: 40_000 });
  expect(tape.of(0)).toEqual(Array.from({ length: MESSAGES }, (_, step) => step));
  expect(reads()).toBeLessThan(MESSAGES / 5);
});
