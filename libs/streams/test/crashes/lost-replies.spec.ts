import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { type Process, startProcess, subscribe } from '../fixture.js';
import { Single } from '../topics.js';
import { SelectiveProxy } from './selective-proxy.js';

const bed = new Bed('lost-replies');
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

it('eleven replies in a row that bring a message are lost: it is handled, and no process counts as crashed', async () => {
  const seen: string[] = [];
  await subscribe(member, { topic: Single, group: 'g' }, async ({ value }: Single, { attempt, crashes }: DeliveryContext) => {
    seen.push(`${value}: attempt ${attempt}, crashes ${crashes}`);
  });
  let lost = 0;
  network.follow(({ direction, text }) => {
    if (lost === 11 || direction === 'request' || !/value\W{1,4}271828\b/.test(text)) return 'pass';
    lost += 1;
    return 'break';
  });
  await publisher.publisher.publish(Single, { value: 271_828 });
  await waitFor(() => lost === 11, { what: 'eleven replies to be lost', timeoutMs: 20_000 });
  await bed.drained(publisher, Single, 'g', 10_000);
  const deadLetters = await publisher.streams.inspector.deadLetters(topicOf(Single), 'g');
  expect({ seen, deadLetters: deadLetters.map(({ reason }) => reason) }).toEqual({ seen: ['271828: attempt 1, crashes 0'], deadLetters: [] });
});
