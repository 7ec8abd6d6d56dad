import { expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { Single } from './topics.js';

const bed = new Bed('late');

it('a read that reaches Redis when its member has another connection already: its messages are handled all the same', async () => {
  const { process, proxy } = await bed.startBehindProxy({ leaseMs: 60_000 });
  const [handled, gate, busy] = [[] as number[], signal(), signal()];
  await subscribe(process, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Single) => {
    handled.push(value);
    if (value !== 1) return;
    busy.fire();
    await gate.promise;
  });
  const publisher = await bed.start({ leaseMs: 60_000 });
  const publish = (value: number): Promise<unknown> => publisher.publisher.publish(Single, { value });
  proxy.reset();
  await publish(0);
  await waitFor(() => handled.length === 1, { what: 'the member to read again' });
  await publish(1);
  await busy.promise;
  for (const value of [2, 3]) await publish(value);
  const { keys: { log } } = bed.place(Single, 'g');
  const [[, member]] = (await bed.command('XINFO', 'CONSUMERS', log, 'g')) as [[string, string]];
  // The read that the lost connection had left, as the member sent it.
  expect(await bed.command('XREADGROUP', 'GROUP', 'g', member, 'COUNT', 10, 'STREAMS', log, '>')).not.toBeNull();
  gate.fire();
  await bed.drained(publisher, Single, 'g');
  expect(handled).toEqual([0, 1, 2, 3]);
});
