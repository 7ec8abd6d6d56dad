import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('health');

describe('a subscription that makes no progress says why', () => {
  it('when its handlers do not end, until one of them does', async () => {
    const process = await bed.start({ stuckAfterMs: 200 });
    const hold = signal();
    const subscription = await subscribe(process, { topic: Single, group: 'g', concurrency: 2 }, () => hold.promise);
    await process.publisher.publish(Single, { value: 0 });
    await bed.pending(Single, 'g');
    expect(subscription.problem()).toBeNull();
    await process.publisher.publishMany(Single, numbers(3));
    await waitFor(() => subscription.problem() !== null, { what: 'the problem' });
    expect(subscription.problem()).toMatch(/^all 2 handlers have been at work for \d+ s and none has ended/);
    hold.fire();
    await bed.drained(process, Single, 'g');
    expect(subscription.problem()).toBeNull();
  });

  it('when a suspect does not end, and blocks other suspects, until it does', async () => {
    const [gone, process] = [await bed.start(), await bed.start({ stuckAfterMs: 200 })];
    await gone.publisher.publishMany(Single, numbers(3));
    await subscribe(gone, { topic: Single, group: 'g', crashLimit: 2 }, () => new Promise(() => undefined));
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 3, { what: 'three to be in hand' });
    gone.vanish();
    const [begun, hold] = [signal(), signal()];
    const seen: number[] = [];
    const subscription = await subscribe(process, { topic: Single, group: 'g', crashLimit: 2 }, async ({ value }: { value: number }) => {
      seen.push(value);
      begun.fire();
      await hold.promise;
    });
    await begun.promise;
    await process.publisher.publish(Single, { value: 3 });
    await waitFor(() => seen.includes(3), { what: 'the waiting messages to go on' });
    await waitFor(() => subscription.problem() !== null, { what: 'the problem' });
    const problem = /^a message whose process vanished has been at work for \d+ s and holds up 2 more like it: give the handler a timeout$/;
    expect(subscription.problem()).toMatch(problem);
    expect(seen).toHaveLength(2);
    hold.fire();
    await bed.drained(process, Single, 'g');
    expect(subscription.problem()).toBeNull();
    expect(seen.sort()).toEqual([0, 1, 2, 3]);
  });

  it('when its outcomes cannot be written, until they can', async () => {
    const process = await bed.start({ leaseMs: 60_000 });
    const { stats } = bed.place(Single, 'g').groupKeys;
    const begun = signal();
    const goOn = signal();
    const subscription = await subscribe(process, { topic: Single, group: 'g' }, async () => {
      begun.fire();
      await goOn.promise;
    });
    await process.publisher.publish(Single, { value: 0 });
    await begun.promise;
    await bed.command('HSET', stats, 'handled', 'no number');
    goOn.fire();
    await waitFor(() => subscription.problem() !== null, { what: 'the problem' });
    expect(subscription.problem()).toContain('settle.lua failed');
    await bed.command('HDEL', stats, 'handled');
    await waitFor(() => subscription.problem() === null, { what: 'the problem to be gone' });
  });

  it('when Redis does not answer, until it does', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    const subscription = await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    expect(subscription.problem()).toBeNull();
    await proxy.refuse();
    await waitFor(() => subscription.problem() !== null, { what: 'the problem' });
    await proxy.pass();
    await waitFor(() => subscription.problem() === null, { what: 'the problem to be gone' });
  });

  it('when Redis does not answer, until it does, also in an ordered group that has fewer partitions than members', async () => {
    const members = [await bed.startBehindProxy(), await bed.startBehindProxy()];
    const target = { topic: Single, group: 'g', ordering: { by: 'partition' as const } };
    const subscriptions = await Promise.all(members.map(({ process }) => subscribe(process, target, async () => undefined)));
    const problems = (): (string | null)[] => subscriptions.map((subscription) => subscription.problem());
    await members[0]!.process.publisher.publish(Single, { value: 0 });
    await bed.drained(members[0]!.process, Single, 'g');
    expect(problems()).toEqual([null, null]);
    await Promise.all(members.map(({ proxy }) => proxy.refuse()));
    await waitFor(() => !problems().includes(null), { what: 'the problem of both' });
    await Promise.all(members.map(({ proxy }) => proxy.pass()));
    await waitFor(() => problems().every((problem) => problem === null), { what: 'the problems to be gone' });
  });
});
