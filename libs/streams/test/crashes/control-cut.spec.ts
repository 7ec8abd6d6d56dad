import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Bed } from '../bed.js';
import { Crowd, NO_HARM } from './crowd.js';
import { SelectiveProxy } from './selective-proxy.js';

const bed = new Bed('control-cut');
let crowd: Crowd;
let network: SelectiveProxy;

beforeEach(async () => {
  crowd = await Crowd.gather(bed, { leaseMs: 3_000 });
  network = await SelectiveProxy.start(bed.url);
});
afterEach(async () => {
  network.pass();
  await crowd.leave();
  await network.stop();
});

const isControl = (name: string): boolean => name.endsWith(':control');

it('a member whose control connection alone is dead for two leases: it keeps what it holds, and the group goes on', async () => {
  const deaths = [await crowd.witness(), await crowd.witness()];
  await crowd.hold(1, { each: 5, url: network.url });
  await crowd.join('healthy', { slots: 8 });
  expect(network.names.filter(isControl)).toHaveLength(1);
  network.follow(({ name }) => (isControl(name) ? 'keep' : 'pass'));
  // The healthy member notices one death after the other: the silence of the other member is longer than both.
  for (const die of deaths) await crowd.flowDuring(die());
  await crowd.finish();
  network.pass();
  expect(await crowd.harm()).toEqual(NO_HARM);
});
