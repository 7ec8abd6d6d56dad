import { describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { Topic, topicOf } from '@millrace/core';
import { IsInt } from 'class-validator';
import { idlePauseMs } from '../src/group/idle-pause.js';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const MOST = 10;

@Topic<Bounded>('test.bounded', { retention: { maxMessages: MOST, overflow: 'drop-group', dropGroupAfter: '2s' } })
class Bounded {
  @IsInt() value!: number;
}

const bed = new Bed('idle-pause');

describe('a member of an idle group', () => {
  it('looks every two leases, or 30 seconds, and three times before its group would lose messages', () => {
    expect(idlePauseMs(topicOf(Single), 1_000)).toBe(2_000);
    expect(idlePauseMs(topicOf(Single), 60_000)).toBe(30_000);
    expect(idlePauseMs(topicOf(Bounded), 60_000)).toBeCloseTo(2_000 / 3);
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
