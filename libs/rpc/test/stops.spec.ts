import { describe, expect, it } from '@jest/globals';
import type { MillraceError } from '@millrace/core';
import { instanceKey, requestsKey, SERVERS } from '@millrace/rpc';
import type { ServedMethod } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, type Handle, RpcGround, serve, SERVICE, untilAborted } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';

describe('a stop', () => {
  const ground = new RpcGround('stops');
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const consumers = async (): Promise<unknown[]> => (await ground.command('XINFO', 'CONSUMERS', stream(), SERVERS)) as unknown[];

  it('waits for the methods at work, and answers their calls', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const [begun, held] = [gate(), gate()];
    const serving = await serve(server, { hold: () => (begun.open(), held.promise.then(() => '"done"')) });
    const calling = call(caller, 'hold');
    await begun.promise;
    const stopping = serving.stop(10_000);
    held.open();
    expect(await calling).toBe('"done"');
    await stopping;
    expect(await consumers()).toEqual([]);
    expect(await ground.command('EXISTS', instanceKey(ground.prefix, serving.member))).toBe(0);
  });

  it('is one of the reasons for which a signal aborts, and each has a code', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const reasons: unknown[] = [];
    const begun = [gate(), gate(), gate()];
    let count = 0;
    const hang: Handle = ({ signal }) => new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        reasons.push((signal.reason as MillraceError).code);
        resolve(null);
      });
      begun[count]!.open();
      count += 1;
    });
    const serving = await serve(server, { hang }, { idempotent: false });
    const abort = new AbortController();
    const cancelled = failureOf(call(caller, 'hang', { idempotent: false, signal: abort.signal }));
    await begun[0]!.promise;
    abort.abort();
    await cancelled;
    await waitFor(() => reasons.length === 1, { what: 'the first to be told' });
    await failureOf(call(caller, 'hang', { idempotent: false, timeoutMs: 300 }));
    await waitFor(() => reasons.length === 2, { what: 'the second to be told' });
    const calling = failureOf(call(caller, 'hang', { idempotent: false, timeoutMs: 2_000 }));
    await begun[2]!.promise;
    await serving.stop(0);
    await calling;
    expect(reasons[0]).toBe('CALL_CANCELLED');
    expect(['CALL_CANCELLED', 'CALL_TIMEOUT']).toContain(reasons[1]);
    expect(reasons[2]).toBe('CLOSED');
  });

  it('aborts methods that do not end by its deadline, and leaves their requests to others at once', async () => {
    const slow = { leaseMs: 3_000 };
    const [server, caller, other] = [await ground.start(slow), await ground.start(), await ground.start(slow)];
    const aborted = gate();
    let begun = 0;
    const hang = untilAborted(() => void (begun += 1), aborted.open, '"too late"');
    const methods = new Map([['again', { idempotent: true, handle: hang }], ['once', { idempotent: false, handle: hang }]]);
    const serving = await server.rpc.serve({ ...SERVICE, concurrency: 4, methods });
    const again = call(caller, 'again', { timeoutMs: 30_000 });
    const once = failureOf(call(caller, 'once', { timeoutMs: 30_000, idempotent: false }));
    const own = failureOf(call(caller, 'again', { timeoutMs: 30_000, instance: serving.member }));
    await waitFor(() => begun === 3, { what: 'all to be begun' });
    const others = new Map<string, ServedMethod>([
      ['again', { idempotent: true, handle: async ({ takenOver }) => `${takenOver}` }],
      ['once', { idempotent: false, handle: async () => '"wrong"' }],
    ]);
    await other.rpc.serve({ ...SERVICE, concurrency: 4, methods: others });
    await serving.stop(50);
    await aborted.promise;
    expect(await again).toBe('true');
    expect(await once).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(await own).toMatchObject({ code: 'CALL_INDEFINITE' });
    await waitFor(async () => (await consumers()).length === 1, { what: 'the instance to be removed' });
    expect(server.rpc.serverCounters).toMatchObject({ answered: 0, inFlight: 0 });
  });

  it('puts back what was read and not begun: others execute it, also where it is not idempotent', async () => {
    const [server, caller, other] = [await ground.start(), await ground.start(), await ground.start()];
    const executed: string[] = [];
    const serving = await serve(server, { note: async () => (executed.push('old'), null) }, { idempotent: false });
    await call(caller, 'note', { idempotent: false });
    await withoutClock(server);
    const calling = call(caller, 'note', { idempotent: false });
    const own = failureOf(call(caller, 'note', { idempotent: false, instance: serving.member }));
    await waitFor(() => server.rpc.serverCounters.inFlight === 2, { what: 'both to be read' });
    await serve(other, { note: async ({ takenOver }) => (executed.push(`new ${takenOver}`), '"new"') }, { idempotent: false });
    await serving.stop(1_000);
    expect(await calling).toBe('"new"');
    expect(await own).toMatchObject({ code: 'NO_INSTANCE' });
    expect(executed).toEqual(['old', 'new false']);
    expect(await consumers()).toHaveLength(1);
  });

  it('counts a request out once that is cancelled while it is put back', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const serving = await serve(server, { note: async () => null });
    await call(caller, 'note');
    await withoutClock(server);
    const control = new AbortController();
    const calling = failureOf(call(caller, 'note', { signal: control.signal }));
    await waitFor(() => server.rpc.serverCounters.inFlight === 1, { what: 'it to be read' });
    const { redis } = server;
    const [left, held] = [gate(), gate()];
    const upkeep = redis.controlFor('');
    const run = upkeep.run.bind(upkeep);
    upkeep.run = async (script, ...args) => {
      if (script.name !== 'empty-instance.lua') return run(script, ...args);
      left.open();
      await held.promise;
      return run(script, ...args);
    };
    const stopping = serving.stop(5_000);
    await left.promise;
    control.abort();
    expect(await calling).toMatchObject({ code: 'CALL_CANCELLED' });
    await waitFor(() => server.rpc.serverCounters.cancelled === 1, { what: 'the instance to hear of it' });
    held.open();
    await stopping;
    expect(server.rpc.serverCounters.inFlight).toBe(0);
  });

  it('leaves to an instance that starts later what it had to leave', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    const serving = await serve(server, { hang: untilAborted(begun.open, () => undefined) });
    const calling = call(caller, 'hang', { timeoutMs: 30_000 });
    await begun.promise;
    await serving.stop(20);
    await server.stop();
    const later = await ground.start();
    await serve(later, { hang: async ({ takenOver }) => `${takenOver}` });
    expect(await calling).toBe('true');
  });

  it('rejects the calls that are pending, and later ones', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    await serve(server, { hold: () => held.promise.then(() => null) });
    const calling = failureOf(call(caller, 'hold'));
    await waitFor(() => caller.rpc.callerCounters.sent === 1, { what: 'it to be sent' });
    await caller.stop();
    expect(await calling).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(call(caller, 'hold'))).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(serve(caller, {}))).toMatchObject({ code: 'CLOSED' });
    held.open();
  });

  it('lets methods call until they end', async () => {
    const [server, other] = [await ground.start(), await ground.start()];
    const begun = gate();
    const held = gate();
    await other.rpc.serve({ ...SERVICE, service: 'rates', concurrency: 1, methods: new Map([['rate', { idempotent: true, handle: async () => '3' }]]) });
    await serve(server, {
      price: async () => {
        begun.open();
        await held.promise;
        return call(server, 'rate', { service: 'rates' });
      },
    });
    const calling = call(other, 'price');
    await begun.promise;
    const stopping = server.rpc.stop(10_000);
    held.open();
    expect(await calling).toBe('3');
    await stopping;
  });
});

/** The clock of Redis is not known to the process any more: what it reads waits. */
async function withoutClock({ redis }: RpcProcess): Promise<void> {
  const publish = redis.publishFor('');
  const run = publish.call.bind(publish);
  publish.call = (name, ...args) => (name === 'TIME' ? new Promise(() => undefined) : run(name, ...args));
  await new Promise((resolve) => setTimeout(resolve, 1_100));
}
