import { describe, it } from '@jest/globals';
import { Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from '../bed.js';
import { signal, subscribe } from '../fixture.js';
import type { Step } from './keyed.js';
import { Tape } from './tape.js';

const bed = new Bed('attack');

/** Steps in one partition. */
@Topic<Lone>('test.lone', { key: ({ thing }) => `thing-${thing}` })
class Lone {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const step = (thing: number, number: number): Step => ({ thing, step: number });

describe('a partition goes on at once', () => {
  it('when a handler throws whose partition was taken away and came back meanwhile', async () => {
    const [process, tape, began, end] = [await bed.start(), new Tape(), signal(), signal()];
    await subscribe(process, { topic: Lone, group: 'g', ordering: { by: 'key' } }, async (given: Lone) => {
      tape.add(given);
      if (tape.count > 1) return;
      began.fire();
      await end.promise;
      throw new Error('too late');
    });
    await process.publisher.publish(Lone, step(0, 0));
    await began.promise;
    await bed.command('HDEL', bed.place(Lone, 'g').groupKeys.control, 'owner');
    await process.publisher.publish(Lone, step(0, 1));
    // A later message of another key shows that the next owner has read both.
    await process.publisher.publish(Lone, step(1, 0));
    await waitFor(() => tape.of(1).length > 0, { what: 'a message of another key' });
    end.fire();
    await waitFor(() => tape.of(0).includes(1), { what: 'the message behind it' });
  });
});
