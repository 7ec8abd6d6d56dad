import { expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, serve, SERVICE } from '../rpc-ground.js';
import type { SiteGround } from '../site-ground.js';

export function answersAreKept(ground: SiteGround): void {
  it('for a request with a name, which is executed once, on whichever instance', async () => {
    const kept = { ledgerOf: undefined };
    const [one, other, caller] = [await ground.start(kept), await ground.start(kept), await ground.start()];
    let executed = 0;
    const count = async (): Promise<string> => `${(executed += 1)}`;
    const [first, second] = [await serve(one, { count }), await serve(other, { count })];
    const orders = Array.from({ length: 40 }, (_, order) => `order-${order}`);
    const answers = await Promise.all(orders.map((requestId) => call(caller, 'count', { requestId, instance: first.member })));
    const again = await Promise.all(orders.map((requestId) => call(caller, 'count', { requestId, instance: second.member })));
    expect(again).toEqual(answers);
    expect(executed).toBe(40);
  });

  it('for a request that is repeated while it is executed', async () => {
    const kept = { ledgerOf: undefined };
    const [one, other, caller] = [await ground.start(kept), await ground.start(kept), await ground.start()];
    const [begun, held] = [gate(), gate()];
    let executed = 0;
    const hold = async (): Promise<string> => {
      executed += 1;
      begun.open();
      return held.promise.then(() => '"once"');
    };
    const [first, second] = [await serve(one, { hold }), await serve(other, { hold })];
    const request = { requestId: 'order-7', timeoutMs: 30_000 };
    const calls = [call(caller, 'hold', { ...request, instance: first.member })];
    await begun.promise;
    calls.push(call(caller, 'hold', { ...request, instance: second.member }));
    await waitFor(() => other.rpc.serverCounters.inFlight === 1, { what: 'the repeated one to be read' });
    held.open();
    expect(await Promise.all(calls)).toEqual(['"once"', '"once"']);
    expect(executed).toBe(1);
  });

  it('until another process fetches them, when the one that made the call is gone', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const go = gate();
    await serve(server, { price: ({ payload }) => go.promise.then(() => payload), fail: () => Promise.reject(new Error('broken')) });
    const made = { ...SERVICE, payloadJson: '7', timeoutMs: 30_000, idempotent: true };
    const price = { ...SERVICE, method: 'price', id: await caller.rpc.start({ ...made, method: 'price' }) };
    const fail = { ...SERVICE, method: 'fail', id: await caller.rpc.start({ ...made, method: 'fail' }) };
    await caller.stop();
    const later = await ground.start();
    expect(await failureOf(later.rpc.result(price, { timeoutMs: 0 }))).toMatchObject({ code: 'CALL_TIMEOUT', retryable: true });
    go.open();
    expect(await later.rpc.result(price, { timeoutMs: 10_000 })).toBe('7');
    expect(await failureOf(later.rpc.result(fail, { timeoutMs: 10_000 }))).toMatchObject({ code: 'REMOTE_FAILED' });
    await later.rpc.forget(price.id);
    expect(await failureOf(later.rpc.result(price, { timeoutMs: 10_000 }))).toMatchObject({ code: 'UNKNOWN_CALL' });
  });
}
