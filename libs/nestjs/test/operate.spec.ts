import { Injectable } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DeadLetters, type DeliveryContext, Groups, Health, Inspector, LocalSubscriptions, Publisher, Subscribe, Topics } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { atOnce, Bench, OrderPlaced } from './fixture.js';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
});

afterEach(() => bench.closeApps());

afterAll(() => bench.stop());

@Injectable()
class Inventory {
  ill = false;
  readonly reserved: string[] = [];

  @Subscribe(OrderPlaced, { group: 'inventory', retry: atOnce })
  async reserve(order: OrderPlaced, { replayed }: DeliveryContext): Promise<void> {
    if (this.ill) throw new Error('ill');
    this.reserved.push(`${order.orderId}${replayed ? ' again' : ''}`);
  }
}

async function shop(): Promise<Awaited<ReturnType<Bench['app']>>> {
  return bench.app({ providers: [Inventory] });
}

const idle = (inspector: Inspector): Promise<unknown> =>
  waitFor(async () => (await inspector.group(OrderPlaced, 'inventory')).lag === 0, { what: 'nothing to be left' });

describe('an operator', () => {
  it('redrives what a handler gave up', async () => {
    const app = await shop();
    const inventory = app.get(Inventory);
    inventory.ill = true;
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    const letters = app.get(DeadLetters);
    await waitFor(async () => (await letters.list(OrderPlaced, 'inventory')).length === 1, { what: 'the dead letter' });
    inventory.ill = false;
    expect(await letters.redrive(OrderPlaced, 'inventory', { all: true })).toEqual({ redriven: 1, missing: [], unreadable: [] });
    await waitFor(() => inventory.reserved.length === 1, { what: 'it to be handled' });
  });

  it('pauses a group, sees it in the health of each process, and sets it back', async () => {
    const app = await shop();
    const inventory = app.get(Inventory);
    const groups = app.get(Groups);
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await idle(app.get(Inspector));
    await groups.pause(OrderPlaced, 'inventory');
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'b', amount: 1 });
    expect((await app.get(Health).ready()).subscriptions).toMatchObject([{ group: 'inventory', pausedBy: ['group'], problem: null }]);
    expect(await groups.seek(OrderPlaced, 'inventory', { to: 'earliest', preview: true })).toMatchObject([{ from: 1, to: 0, again: 1 }]);
    await groups.seek(OrderPlaced, 'inventory', { to: 'earliest' });
    await groups.resume(OrderPlaced, 'inventory');
    await idle(app.get(Inspector));
    expect(inventory.reserved.sort()).toEqual(['a', 'a again', 'b']);
  });

  it('removes a group by force, and sees it in the health of the process that still runs', async () => {
    const app = await shop();
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await idle(app.get(Inspector));
    await app.get(Groups).remove(OrderPlaced, 'inventory', { force: true });
    const removed = { ok: false, subscriptions: [{ group: 'inventory', problem: expect.stringContaining('was removed') }] };
    await waitFor(async () => (await app.get(Health).ready()).subscriptions[0]?.problem?.includes('was removed'), { what: 'the problem' });
    expect(await app.get(Health).ready()).toMatchObject(removed);
    expect(await app.get(Topics).remove(OrderPlaced, { preview: true })).toMatchObject({ messages: 1, groups: [] });
  });

  it('pauses this process alone', async () => {
    const app = await shop();
    const local = app.get(LocalSubscriptions);
    await local.pause(OrderPlaced, 'inventory');
    expect(local.states()).toMatchObject([{ pausedBy: ['process'] }]);
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    expect(app.get(Inventory).reserved).toEqual([]);
    local.resume(OrderPlaced, 'inventory');
    await idle(app.get(Inspector));
    expect(app.get(Inventory).reserved).toEqual(['a']);
    await expect(local.pause(OrderPlaced, 'inventry')).rejects.toMatchObject({
      code: 'UNKNOWN_GROUP', message: expect.stringContaining("did you mean 'inventory'?"),
    });
  });
});
