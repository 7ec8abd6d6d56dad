import { expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { type Process, signal, subscribe } from '../fixture.js';
import { Step } from './keyed.js';
import { BY_KEY, Log, OrderedBed } from './ordered-bed.js';

const bed = new OrderedBed('late-reads');
const TARGET = { topic: Step, group: 'g', ordering: BY_KEY } as const;

/** Has the reply to the next read that brings something come late. */
function delayReads({ redis: { publish } }: Process): { readonly next: () => Promise<void>; readonly go: () => void } {
  const [read, go] = [signal(), signal()];
  const run = publish.run.bind(publish);
  let holds = false;
  publish.run = async (script, ...args) => {
    const reply = await run(script, ...args);
    if (holds && script.name === 'fetch.lua' && JSON.stringify(reply).includes('thing')) {
      holds = false;
      read.fire();
      await go.promise;
    }
    return reply;
  };
  return {
    next: () => {
      holds = true;
      return read.promise;
    },
    go: go.fire,
  };
}

it.each([
  ['that was redriven', true],
  ['of the log', false],
])('a message %s is handled once, though it is settled while a read is on its way that brings it again', async (_, isRedriven) => {
  const { process, proxy } = await bed.startBehindProxy({ leaseMs: 60_000 });
  const [log, gate, reads] = [new Log(), signal(), delayReads(process)];
  let isIll = isRedriven;
  await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => {
    if (isIll) throw new Error('ill');
    log.add(step, ctx);
    await gate.promise;
  });
  await process.publisher.publish(Step, { thing: 0, step: 0 });
  if (isIll) {
    await bed.drained(process, Step, 'g');
    isIll = false;
    await process.streams.deadLetters.redrive(topicOf(Step), 'g', { all: true });
  }
  await log.until(1);
  const late = reads.next();
  proxy.reset();
  await late;
  gate.fire();
  await waitFor(async () => (await bed.state(process, Step, 'g')).handled === 1, { what: 'the message to be settled' });
  reads.go();
  await process.publisher.publish(Step, { thing: 0, step: 1 });
  await log.until(2);
  await bed.drained(process, Step, 'g');
  expect([log.of(0).map((line) => line.split(' ')[0]), (await bed.state(process, Step, 'g')).fenced]).toEqual([['0', '1'], 0]);
});
