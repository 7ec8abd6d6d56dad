import { describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { Topic, topicOf } from '@millrace/core';
import { IsInt } from 'class-validator';
import { idlePauseMs } from '../src/group/idle-pause.js';
import { adviceOn } from '../src/publish/refusals.js';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const MOST = 10;

@Topic<Bounded>('test.bounded', { retention: { maxMessages: MOST, overflow: 'drop-group', dropGroupAfter: '2s' } })
class Bounded {
  @IsInt() value!: number;
}

const bed = new Bed('idle-pause');
/** Pauses are spread by a quarter at the most. */
const spreadAtMost = (ms: number): number => 1.25 * ms;

describe('a member of an idle group', () => {
  it('looks every two leases, or 30 seconds, and three times before its group would lose messages', () => {
    expect(idlePauseMs(topicOf(Single), 1_000)).toBe(2_000);
    expect(idlePauseMs(topicOf(Single), 60_000)).toBe(30_000);
    expect(idlePauseMs(topicOf(Bounded), 60_000)).toBeCloseTo(2_000 / 3);
  });

  it('does not count as gone in the advice about a full topic while it pauses', () => {
    const longestMs = spreadAtMost(idlePauseMs(topicOf(Single), 60_000));
    expect(adviceOn({ group: 'g', silentMs: longestMs + 5_000 })).toMatch(/let it catch up/);
    expect(adviceOn({ group: 'g', silentMs: 2 * longestMs })).toMatch(/no living member/);
  });

  it('keeps its group from losing messages by drop-group, though it is paused for longer', async () => {
    const process = await bed.start({ leaseMs: 60_000 });
    const member = await subscribe(process, { topic: Bounded, group: 'g' }, async () => undefined);
    await member.pause();
    await process.publisher.publishMany(Bounded, numbers(MOST));
    await wait(4_000);
    await expect(process.publisher.publish(Bounded, { value: MOST })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
  });
});
