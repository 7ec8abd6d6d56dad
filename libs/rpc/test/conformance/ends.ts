import { expect, it } from '@jest/globals';
import { cancellationChannel, instanceCancellationChannel, requestsKey, RpcCancelledError } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, serve, SERVICE, untilAborted } from '../rpc-ground.js';
import type { SiteGround } from '../site-ground.js';

export function callsEnd(ground: SiteGround): void {
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const left = (count: number): Promise<unknown> =>
    waitFor(async () => (await ground.on(stream(), 'XLEN')) === count, { what: `${count} requests to be left` });

  it('at their deadlines, which abort the signals of their methods', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const aborted = gate();
    await serve(server, { hang: untilAborted(() => undefined, aborted.open, '"late"') });
    const failure = await failureOf(call(caller, 'hang', { timeoutMs: 1_000 }));
    expect(failure).toMatchObject({ code: 'CALL_TIMEOUT', retryable: true, mayHaveRun: true });
    await aborted.promise;
    await left(0);
    expect(caller.rpc.callerCounters).toMatchObject({ timedOut: 1, lateAnswers: 0 });
  });

  it('at their deadlines, and leave no request behind that nobody took', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    await serve(server, { hold: () => held.promise.then(() => null) }, { concurrency: 1 });
    const first = call(caller, 'hold');
    const failures = await Promise.all(Array.from({ length: 100 }, () => failureOf(call(caller, 'hold', { timeoutMs: 100 }))));
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['CALL_TIMEOUT']));
    await left(1);
    held.open();
    await first;
  });

  it('at their deadlines, and are never executed afterwards', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { note: async () => null });
    await server.stop();
    const [late, executed] = [await ground.start(), [] as string[]];
    const held = gate();
    await serve(late, { hold: () => held.promise.then(() => null), note: async () => (executed.push('note'), null) }, { concurrency: 1 });
    const holding = call(caller, 'hold');
    await waitFor(() => late.rpc.serverCounters.inFlight === 1, { what: 'the slot to be taken' });
    // Its caller is cut off before it can withdraw the request.
    const other = await ground.start();
    const calling = failureOf(call(other, 'note', { timeoutMs: 300 }));
    await left(2);
    other.redis.close();
    expect(await calling).toMatchObject({ code: 'CALL_TIMEOUT' });
    held.open();
    await holding;
    await left(0);
    expect(executed).toEqual([]);
  });

  it.each(['any instance', 'one instance'] as const)('by their signals, which abort that of the method that %s has begun', async (kind) => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const [begun, aborted] = [gate(), gate()];
    const { member } = await serve(server, { hang: untilAborted(begun.open, aborted.open) });
    const giveUp = new AbortController();
    const target = kind === 'one instance' ? { instance: member } : {};
    // Its deadline, which would abort the signal as well, is far.
    const calling = failureOf(call(caller, 'hang', { ...target, signal: giveUp.signal, timeoutMs: 3_600_000 }));
    await begun.promise;
    await waitFor(async () => (await heardBy(cancellationChannel(ground.prefix, SERVICE))) === 1, { what: 'the instance to listen' });
    await waitFor(async () => (await heardBy(instanceCancellationChannel(ground.prefix, member))) === 1, { what: 'the instance to listen' });
    giveUp.abort();
    expect(await calling).toMatchObject({ code: 'CALL_CANCELLED' });
    await aborted.promise;
    await left(0);
    expect(server.rpc.serverCounters).toMatchObject({ cancelled: 1, answered: 0, failed: 0 });
  });

  it('by their signals before anybody took them, and are not executed', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    let notes = 0;
    const note = async (): Promise<null> => ((notes += 1), null);
    await serve(server, { hold: () => held.promise.then(() => null), note }, { concurrency: 1 });
    const first = call(caller, 'hold');
    const giveUp = new AbortController();
    const noting = failureOf(call(caller, 'note', { signal: giveUp.signal }));
    await waitFor(() => caller.rpc.callerCounters.sent === 2, { what: 'both to be stored' });
    giveUp.abort(new Error('no need'));
    const failure = await noting;
    expect(failure).toBeInstanceOf(RpcCancelledError);
    expect(failure).toMatchObject({ code: 'CALL_CANCELLED', cause: { message: 'no need' } });
    await left(1);
    held.open();
    await first;
    expect(notes).toBe(0);
  });

  /** How many listen in a channel, by the server that has its slot. */
  async function heardBy(channel: string): Promise<number> {
    const [, count] = (await ground.near(channel, 'PUBSUB', 'SHARDNUMSUB', channel)) as [string, number];
    return count;
  }
}
