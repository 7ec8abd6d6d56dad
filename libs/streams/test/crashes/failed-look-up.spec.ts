import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { Bed } from '../bed.js';
import { type Process, startProcess, subscribe } from '../fixture.js';
import { numbers, Single } from '../topics.js';
import { SelectiveProxy } from './selective-proxy.js';

const bed = new Bed('look-up');
let network: SelectiveProxy;
let member: Process;
let publisher: Process;

beforeEach(async () => {
  publisher = await bed.start({ leaseMs: 3_000 });
  network = await SelectiveProxy.start(bed.url);
  member = await startProcess(network.url, { prefix: bed.prefix, leaseMs: 3_000 });
});
afterEach(async () => {
  network.pass();
  await member.stop();
  await network.stop();
});

/** Breaks the first command that the member sends after it has read the messages of the log, if there is one. */
function breakLookUp(): { handlerBegan: () => void } {
  let state: 'before' | 'taking in' | 'over' = 'before';
  network.follow(({ direction, text }) => {
    if (direction === 'reply' && state === 'before' && /value\W{1,4}\d/.test(text)) state = 'taking in';
    if (direction === 'reply' || state !== 'taking in') return 'pass';
    state = 'over';
    return 'break';
  });
  return { handlerBegan: () => (state = 'over') };
}

// After a seek a member looks up many of the messages that it was given, before a handler begins.
it('one command fails while ten messages are taken in: all are handled, and no process counts as crashed', async () => {
  const seen: string[] = [];
  let lookUp = { handlerBegan: (): void => undefined };
  await subscribe(member, { topic: Single, group: 'g', concurrency: 32 }, async ({ value }: Single, { crashes, replayed }: DeliveryContext) => {
    lookUp.handlerBegan();
    seen.push(`${value}: crashes ${crashes}, ${replayed ? 'replayed' : 'new'}`);
  });
  await publisher.publisher.publishMany(Single, numbers(10));
  await bed.drained(publisher, Single, 'g');
  lookUp = breakLookUp();
  seen.splice(0);
  await publisher.streams.groups.seek(Single, 'g', { to: 'earliest' });
  await bed.drained(publisher, Single, 'g');
  const deadLetters = await publisher.streams.inspector.deadLetters(topicOf(Single), 'g');
  expect(seen.sort()).toEqual(numbers(10).map(({ payload }) => `${payload.value}: crashes 0, replayed`));
  expect(deadLetters).toEqual([]);
});
