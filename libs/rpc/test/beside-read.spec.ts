import { describe, expect, it } from '@jest/globals';
import { besideRead } from '../src/wire/beside-read.js';

/** The order of the steps of a loop that works on so many things, sends what comes of that at the end of the tick, and reads. */
async function orderOf(count: number): Promise<string[]> {
  const steps: string[] = [];
  const sent = new Promise<void>((resolve) => {
    void besideRead(count, () => {
      steps.push('work');
      const send = (): void => {
        steps.push('send');
        resolve();
      };
      void Promise.resolve().then(() => process.nextTick(send));
    }).then(() => steps.push('read'));
  });
  await sent;
  await new Promise(setImmediate);
  return steps;
}

describe('work beside a read', () => {
  it('goes ahead of the next read, with what it sends, when it is little', async () => {
    expect(await orderOf(1)).toEqual(['work', 'send', 'read']);
    expect(await orderOf(7)).toEqual(['work', 'send', 'read']);
  });

  it('is done while the next read is under way when it is much', async () => {
    expect(await orderOf(8)).toEqual(['read', 'work', 'send']);
  });
});
