import { describe, expect, it } from '@jest/globals';
import { presentLoads, type SubscriptionLoad, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('load');

const loadOf = (group: string): SubscriptionLoad | undefined => presentLoads().find((load) => load.group === group);
/** The moment has moved on since the caller looked. */
const pollsAfter = (group: string, sinceMs: number): Promise<boolean> =>
  waitFor(() => (loadOf(group)?.polledAtMs ?? 0) > sinceMs, { what: 'a poll', timeoutMs: 60_000 });

describe('the load of a subscription', () => {
  it.each([['shared', undefined], ['ordered', { by: 'key' as const }]])('is how many handlers are at work, of so many, while it is there: %s', async (_, ordering) => {
    const process = await bed.start();
    const hold = signal();
    const subscription = await subscribe(process, { topic: Single, group: 'g', concurrency: 3, ordering }, () => hold.promise);
    expect(loadOf('g')).toMatchObject({ topic: topicOf(Single).name, group: 'g', inFlight: 0, limit: 3 });
    for (const { payload } of numbers(2)) await process.publisher.publish(Single, payload, { key: String(payload.value) });
    await waitFor(() => loadOf('g')?.inFlight === 2, { what: 'both to begin' });
    hold.fire();
    await waitFor(() => loadOf('g')?.inFlight === 0, { what: 'both to end' });
    await subscription.stop(1_000);
    expect(loadOf('g')).toBeUndefined();
  });

  it('is that of each broadcast as well', async () => {
    const { streams, publisher } = await bed.start();
    const hold = signal();
    const broadcast = await streams.broadcast({ topic: topicOf(Single), concurrency: 2 }, () => hold.promise.then(() => ({ kind: 'ack' })));
    await publisher.publish(Single, { value: 0 });
    const own = (): SubscriptionLoad | undefined => presentLoads().find(({ limit }) => limit === 2);
    await waitFor(() => own()?.inFlight === 1, { what: 'it to begin' });
    expect(own()!.polledAtMs).toBeGreaterThan(0);
    hold.fire();
    await broadcast.stop(1_000);
    expect(presentLoads()).toEqual([]);
  });

  it.each([['shared', undefined], ['ordered', { by: 'key' as const }]])('tells when it last looked for messages, and stands still while it cannot: %s', async (_, ordering) => {
    const { process, proxy } = await bed.startBehindProxy();
    const subscription = await subscribe(process, { topic: Single, group: 'g', ordering }, async () => undefined);
    await pollsAfter('g', 0);
    await proxy.refuse();
    await waitFor(() => subscription.problem() !== null, { what: 'the outage to be seen', timeoutMs: 60_000 });
    const { polledAtMs } = loadOf('g')!;
    // A member that hears no rings looks each second or so.
    await waitFor(() => Date.now() > polledAtMs + 4_000, { what: 'the clock to go on', timeoutMs: 30_000 });
    expect(loadOf('g')!.polledAtMs).toBe(polledAtMs);
    await proxy.pass();
    await pollsAfter('g', polledAtMs);
  }, 180_000);

  it('counts one that is paused, or has no handler free, as one that looks', async () => {
    const process = await bed.start();
    const hold = signal();
    const subscription = await subscribe(process, { topic: Single, group: 'g', concurrency: 1 }, () => hold.promise);
    await process.publisher.publish(Single, { value: 0 });
    await waitFor(() => loadOf('g')?.inFlight === 1, { what: 'it to begin' });
    const before = Date.now();
    expect(loadOf('g')!.polledAtMs).toBeGreaterThanOrEqual(before);
    hold.fire();
    await subscription.pause();
    const paused = Date.now();
    expect(loadOf('g')).toMatchObject({ inFlight: 0, polledAtMs: expect.any(Number) });
    expect(loadOf('g')!.polledAtMs).toBeGreaterThanOrEqual(paused);
  });
});
