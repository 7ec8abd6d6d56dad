import { afterEach, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { InstanceChild } from '../instance-child.js';
import { LEASE_MS, type SiteGround } from '../site-ground.js';
import { Counting, endOf, gathered, numbers, serveStreams, streamOf } from '../stream-ground.js';

export function itemsAreStreamed(ground: SiteGround): void {
  const children: InstanceChild[] = [];

  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  it('in order, all of them, and then their end', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { count: new Counting(2_000).stream, none: new Counting(0).stream });
    const [one, other, none] = await Promise.all(['count', 'count', 'none'].map((method) => gathered(streamOf(caller, method))));
    expect([...one!, ...other!].map(Number).sort((a, b) => a - b).map(String)).toEqual(numbers(2_000));
    expect(none).toEqual([]);
    expect(caller.rpc.callerCounters).toMatchObject({ items: 2_000, droppedItems: 0, answered: 3, malformed: 0 });
  });

  it('and the error behind them', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, {
      async *some() {
        yield* numbers(50);
        throw new Error('no more');
      },
    });
    const { items, error } = await endOf(streamOf(caller, 'some'));
    expect(items).toEqual(numbers(50));
    expect(error).toMatchObject({ code: 'REMOTE_FAILED', remote: { message: 'no more' } });
  });

  it('no further than the consumer wants, and the method ends when the consumer leaves', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const items = streamOf(caller, 'count', { window: 7 });
    for (let taken = 1; taken <= 40; taken += 1) {
      expect((await items.next()).value).toBe(`${taken - 1}`);
      expect(counting.made).toBeLessThanOrEqual(taken + 7);
    }
    await items.return!();
    await waitFor(() => counting.closed === 1 && server.rpc.serverCounters.inFlight === 0, { what: 'the method to be ended' });
    expect(caller.rpc.callerCounters).toMatchObject({ cancelled: 1, inFlight: 0 });
  });

  it('or CALL_INDEFINITE when their instance is killed', async () => {
    const caller = await ground.start();
    const child = new InstanceChild({ target: ground.target, prefix: ground.prefix, leaseMs: LEASE_MS, concurrency: 4, workMs: 1 }, 'stream-instance');
    children.push(child);
    await child.serving();
    const items = streamOf(caller, 'count', { timeoutMs: 3_600_000, idempotent: true });
    await items.next();
    await child.kill();
    const { error } = await endOf(items);
    expect(error).toMatchObject({ code: 'CALL_INDEFINITE' });
  });
}
