import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { type Ordering, Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from './bed.js';
import { signal, silence, subscribe } from './fixture.js';
import { numbers } from './topics.js';

const bed = new Bed('blocked');
const LEASE_MS = 300;
/** All in one entry, so that one read brings them. */
const MESSAGES = 8;
const MODES: [string, { ordering?: Ordering }][] = [['shared', {}], ['ordered', { ordering: { by: 'key' } }]];

@Topic<Keyed>('test.blocked', { key: ({ value }) => `key-${value}` })
class Keyed {
  @IsInt() value!: number;
}

function block(ms: number): void {
  for (const began = performance.now(); performance.now() - began < ms;);
}

describe('a process that is halted while it begins messages', () => {
  it.each(MODES)('begins none that others may have by now: %s', async (_, ordering) => {
    const process = await bed.start({ leaseMs: LEASE_MS, messagesPerEntry: MESSAGES });
    await process.publisher.publishMany(Keyed, numbers(MESSAGES));
    const [begun, blocked] = [[] as number[], signal<() => void>()];
    await subscribe(process, { topic: Keyed, group: 'g', ...ordering }, async ({ value }: Keyed) => {
      begun.push(value);
      if (begun.length > 1) return;
      const restore = silence(process);
      block(LEASE_MS);
      blocked.fire(restore);
    });
    const restore = await blocked.promise;
    await setImmediate();
    expect(begun).toEqual([0]);
    restore();
    await waitFor(() => begun.length === MESSAGES, { what: 'the others to begin once the process is sure of them' });
    expect(begun.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});
