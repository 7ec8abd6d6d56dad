import { expect, it } from '@jest/globals';
import { groupPartition } from '../src/consume/group-partition.js';
import { ConnectionReader } from '../src/read/connection-reader.js';
import { signal } from './fixture.js';

it('a doubt that comes while the partitions are looked after is seen to as well', async () => {
  const place = groupPartition('test', { topic: 'orders', partition: 0 }, 'g');
  const [begun, end] = [signal(), signal()];
  let rejoined = 0;
  const feedback = {
    isLost: () => Promise.resolve(false),
    recover: () => Promise.resolve(),
    rejoin: async (): Promise<void> => {
      rejoined += 1;
      begun.fire();
      await end.promise;
    },
  };
  const way = { isReady: () => true, whenReady: () => Promise.resolve(true), epochOf: () => 0 };
  const rings = { putOff: () => undefined, lookAt: () => undefined };
  const reader = new ConnectionReader({ way, rings, feedback, onRejoined: () => undefined }, [place]);
  const never = new AbortController().signal;
  reader.doubt('the first');
  const opening = reader.open(never);
  await begun.promise;
  reader.doubt('a second');
  end.fire();
  await opening;
  expect([reader.isOpen, rejoined]).toEqual([false, 1]);
  await reader.open(never);
  expect([reader.isOpen, rejoined]).toEqual([true, 2]);
});
