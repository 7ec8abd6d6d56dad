import { describe, expect, it } from '@jest/globals';
import { silence, waitFor } from '@millrace/testing';
import { call, gate, RpcGround, serve } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';

describe('an instance that is there again after a silence', () => {
  const ground = new RpcGround('silences');

  /** Keeps the time of Redis from a process that has not asked for it yet: what it reads waits. */
  function holdClock({ redis }: RpcProcess, until: Promise<void>): void {
    const publish = redis.publishFor('');
    const run = publish.call.bind(publish);
    publish.call = async (name, ...args) => {
      if (name === 'TIME') await until;
      return run(name, ...args);
    };
  }

  it('begins nothing that it had read: another one has executed it', async () => {
    const [server, other, caller] = [await ground.start(), await ground.start(), await ground.start()];
    const executed: string[] = [];
    const told = gate();
    holdClock(server, told.promise);
    await serve(server, { note: async () => (executed.push('silent'), null) });
    const calling = call(caller, 'note');
    await waitFor(() => server.rpc.serverCounters.inFlight === 1, { what: 'it to be read' });
    const speak = silence(server);
    await serve(other, { note: async () => (executed.push('other'), null) });
    await calling;
    speak();
    await waitFor(() => server.presence.isSure, { what: 'the instance to be there again' });
    told.open();
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'it to be let go of' });
    expect(executed).toEqual(['other']);
  });

  it('answers what another one has not answered, and nothing else', async () => {
    const [server, other, caller] = [await ground.start(), await ground.start(), await ground.start()];
    const [held, released] = [gate(), gate()];
    await serve(server, { price: () => held.promise.then(() => '"silent"') });
    const calls = ['1', '2'].map((payloadJson) => call(caller, 'price', { payloadJson, timeoutMs: 30_000 }));
    await waitFor(() => server.rpc.serverCounters.inFlight === 2, { what: 'both to be begun' });
    const speak = silence(server);
    const price = async ({ payload }: { readonly payload: string }): Promise<string> => {
      if (payload === '2') await released.promise;
      return '"other"';
    };
    await serve(other, { price }, { concurrency: 1 });
    expect(await calls[0]).toBe('"other"');
    speak();
    await waitFor(() => server.presence.isSure, { what: 'the instance to be there again' });
    held.open();
    expect(await calls[1]).toBe('"silent"');
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 2, lateAnswers: 0 });
    await waitFor(() => server.rpc.serverCounters.fenced === 1, { what: 'the other answer to be refused' });
    released.open();
  });

  it('gives no answer in the place of another one, whose outcome the ledger has', async () => {
    const kept = { ledgerOf: undefined };
    const [server, other, caller] = [await ground.start(kept), await ground.start(kept), await ground.start()];
    const [begun, held, taken, released] = [gate(), gate(), gate(), gate()];
    await serve(server, { price: () => (begun.open(), held.promise.then(() => '"silent"')) });
    const calling = call(caller, 'price', { timeoutMs: 30_000 });
    await begun.promise;
    const speak = silence(server);
    await serve(other, { price: () => (taken.open(), released.promise.then(() => '"other"')) });
    await taken.promise;
    speak();
    await waitFor(() => server.presence.isSure, { what: 'the instance to be there again' });
    held.open();
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'the method to end there' });
    released.open();
    expect(await calling).toBe('"other"');
  });
});
