import { expect, it } from '@jest/globals';
import { groupPartition } from '../src/consume/group-partition.js';
import { ReadLine } from '../src/read/read-line.js';
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
  const line = new ReadLine({ way, rings, feedback, onRejoined: () => undefined }, [place]);
  const never = new AbortController().signal;
  line.doubt('the first');
  const opening = line.open(never);
  await begun.promise;
  line.doubt('a second');
  end.fire();
  await opening;
  expect([line.isOpen, rejoined]).toEqual([false, 1]);
  await line.open(never);
  expect([line.isOpen, rejoined]).toEqual([true, 2]);
});
