import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { TcpProxy } from '@millrace/testing';
import { Bed } from '../bed.js';
import { Crowd, NO_HARM } from './crowd.js';

const AWAY_MS = 5_000;
const MEMBERS = 16;
const bed = new Bed('outage');
let crowd: Crowd;
let network: TcpProxy;

beforeEach(async () => {
  crowd = await Crowd.gather(bed, { leaseMs: 3_000 });
  network = await TcpProxy.start(bed.url);
});
afterEach(async () => {
  await network.pass();
  await crowd.leave();
  await network.stop();
});

/** Cuts all members off from Redis together; publishers and observers stay connected. */
async function outage(): Promise<void> {
  await network.refuse();
  await setTimeout(AWAY_MS);
  await network.pass();
}

it('Redis is away for longer than the lease, three times in a row: of the members that come back none counts as dead', async () => {
  const die = await crowd.witness({ url: network.url });
  const held = await crowd.hold(MEMBERS, { each: 2, url: network.url });
  await crowd.join('free', { slots: 8, url: network.url });
  for (let time = 0; time < 3; time += 1) {
    const away = outage();
    // Some handlers end while their outcomes cannot be sent.
    crowd.end(held.splice(0, MEMBERS / 4));
    await away;
    await crowd.whole();
    expect(await crowd.harm()).toEqual(NO_HARM);
  }
  await crowd.flowDuring(die());
  await crowd.finish();
  expect(await crowd.harm()).toEqual(NO_HARM);
});
