import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { type Process, signal, subscribe } from '../fixture.js';
import type { Step } from './keyed.js';
import { BY_KEY, Log, OrderedBed } from './ordered-bed.js';

const bed = new OrderedBed('tenures');

/** All things in one partition. */
@Topic<Single>('test.single', { key: ({ thing }) => `thing-${thing}` })
class Single {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const step = (thing: number, number: number): Step => ({ thing, step: number });

/** So a partition is taken away: its owner learns of it at its next read, and takes it again. */
function takeAway(): Promise<unknown> {
  return bed.command('HDEL', bed.place(Single, 'g').groupKeys.control, 'owner');
}

/** A process that has vanished with a message of thing 0 at work, and another one. */
async function afterDeath(): Promise<Process> {
  const [first, second, stuck] = [await bed.start(), await bed.start(), signal()];
  await subscribe(first, { topic: Single, group: 'g', ordering: BY_KEY }, async () => {
    stuck.fire();
    await new Promise(() => undefined);
  });
  await first.publisher.publish(Single, step(0, 0));
  await stuck.promise;
  first.vanish();
  return second;
}

describe('a tenure that ends while a message begins that is alone after a death leaves its key free', () => {
  it('when the mark of its begin is refused', async () => {
    const [process, log] = [await afterDeath(), new Log()];
    const { publish } = process.redis;
    const run = publish.run.bind(publish);
    let takes = true;
    publish.run = async (script, ...args) => {
      if (script.name === 'note.lua' && takes) {
        takes = false;
        await takeAway();
      }
      return run(script, ...args);
    };
    await subscribe(process, { topic: Single, group: 'g', ordering: BY_KEY }, async (given: Step, ctx: DeliveryContext) => log.add(given, ctx));
    await log.until(1);
    await bed.drained(process, Single, 'g');
    expect([takes, log.of(0).length]).toEqual([false, 1]);
  });

  it('when its mark is stored, and the reply comes late', async () => {
    const [process, log, marked, late] = [await afterDeath(), new Log(), signal(), signal()];
    const { publish } = process.redis;
    const run = publish.run.bind(publish);
    publish.run = async (script, ...args) => {
      const reply = await run(script, ...args);
      if (script.name === 'note.lua') {
        marked.fire();
        await late.promise;
      }
      return reply;
    };
    await subscribe(process, { topic: Single, group: 'g', ordering: BY_KEY }, async (given: Step, ctx: DeliveryContext) => log.add(given, ctx));
    await marked.promise;
    await takeAway();
    await process.publisher.publish(Single, step(1, 0));
    await waitFor(() => log.of(1).length > 0, { what: 'the next tenure to handle a message of another key' });
    late.fire();
    await log.until(2);
    await bed.drained(process, Single, 'g');
    expect(log.of(0).length).toBe(1);
  });
});
