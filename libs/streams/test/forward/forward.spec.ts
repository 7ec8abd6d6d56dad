import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { fixed, type MillraceError, topicOf } from '@millrace/core';
import { Bed } from '../bed.js';
import { signal, subscribe } from '../fixture.js';
import { numbers } from '../topics.js';
import { A, B, C, D, STAGES } from './stages.js';
import { countsOf, storedValues } from './stored-values.js';

describe('Messages that handlers forward', () => {
  const bed = new Bed('forward');
  const stored = async (topic: typeof D): Promise<number[]> => (await storedValues((...args) => bed.read(...args), bed.prefix, topic)).flat();

  it('go through four stages, each once', async () => {
    const members = [await bed.start(), await bed.start()];
    await members[0]!.streams.declare(topicOf(D));
    for (const member of members) {
      for (const { from, to } of STAGES) {
        await subscribe(member, { topic: from, group: 'g' }, async ({ value }: A, ctx) => void ctx.publish(to, { value }));
      }
    }
    await members[0]!.publisher.publishMany(A, numbers(2_000));
    await waitFor(async () => (await stored(D)).length >= 2_000, { what: 'the last stage' });
    await waitFor(async () => (await members[0]!.streams.inspector.group(C, 'g')).forwarding === 0, { what: 'nothing on its way' });
    expect(countsOf(await stored(D), 2_000)).toEqual({ lost: 0, doubled: 0 });
    expect(countsOf(await stored(B), 2_000)).toEqual({ lost: 0, doubled: 0 });
  });

  it('stay unpublished when the handler throws, and go with the attempt that ends well', async () => {
    const member = await bed.start();
    const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };
    const done = signal();
    await subscribe(member, { topic: A, group: 'g', retry }, async ({ value }: A, ctx) => {
      ctx.publish(B, { value: 10 + ctx.attempt });
      if (ctx.attempt === 1 || value === 1) throw new Error('fails');
      done.fire();
    });
    await member.publisher.publishMany(A, [{ payload: { value: 0 } }, { payload: { value: 1 } }]);
    await done.promise;
    await waitFor(async () => (await member.streams.inspector.group(A, 'g')).deadLetters === 1, { what: 'the dead letter' });
    await waitFor(async () => (await stored(B)).length > 0, { what: 'the message' });
    expect(await stored(B)).toEqual([12]);
  });

  it('are refused at once when they are not valid, and when the handler has ended', async () => {
    const member = await bed.start();
    const caught: unknown[] = [];
    const ended = signal<() => void>();
    await subscribe(member, { topic: A, group: 'g' }, async ({ value }: A, ctx) => {
      if (value === 1) {
        ctx.publish(B, { value: 'no number' } as never);
        return;
      }
      try {
        ctx.publish(B, { value: 1n } as never);
      } catch (thrown) {
        caught.push((thrown as MillraceError).code);
      }
      ctx.publish(B, { value: 5 });
      ended.fire(() => ctx.publish(B, { value: 6 }));
    });
    await member.publisher.publishMany(A, [{ payload: { value: 0 } }, { payload: { value: 1 } }]);
    const late = await ended.promise;
    const given = await waitFor(async () => (await member.streams.inspector.deadLetters(A, 'g'))[0], { what: 'the dead letter' });
    await waitFor(async () => (await stored(B)).length > 0, { what: 'the message' });
    expect(given.error.code).toBe('INVALID_PAYLOAD');
    expect(caught).toEqual(['UNSERIALIZABLE_PAYLOAD']);
    expect(late).toThrow(expect.objectContaining({ code: 'FORWARD_REFUSED' }));
    expect(await stored(B)).toEqual([5]);
  });
});
