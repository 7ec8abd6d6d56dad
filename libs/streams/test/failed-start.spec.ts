import { expect, it } from '@jest/globals';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { Single } from './topics.js';

const bed = new Bed('failed-start');

it.each(['in another process', 'in the same process'])('nobody waits for a member whose start failed, %s', async (place) => {
  const [process, other] = [await bed.start({ leaseMs: 60_000 }), await bed.start({ leaseMs: 60_000 })];
  const first = await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
  await first.stop(1_000);
  const { publish } = process.redis;
  const run = publish.run.bind(publish);
  // Its group knows the member by then.
  publish.run = (script, ...args) => (script.name === 'watch-group.lua' ? Promise.reject(new Error('gone')) : run(script, ...args));
  await expect(subscribe(process, { topic: Single, group: 'g' }, async () => undefined)).rejects.toThrow('gone');
  publish.run = run;
  const { groups } = (place === 'in the same process' ? process : other).streams;
  expect(await groups.pause(Single, 'g', { within: '2s' })).toEqual({ busy: [] });
});
