import { describe, expect, it } from '@jest/globals';
import { inboxKey, instanceKey, requestsKey, SERVERS } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, RpcGround, serve, SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';

/** Has the names of commands and scripts noted that go over the connection for requests and answers. */
function noted({ redis }: RpcProcess): string[] {
  const [names, connection] = [[] as string[], redis.publishFor('')];
  const [command, run] = [connection.call.bind(connection), connection.run.bind(connection)];
  connection.call = (name, ...args) => (names.push(name), command(name, ...args));
  connection.run = (script, ...args) => (names.push(script.name), run(script, ...args));
  return names;
}

describe('a call that is made alone', () => {
  const ground = new RpcGround('lone-calls');
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const echo = async ({ payload }: { payload: string }): Promise<string> => payload;

  it('soon after another costs one command to be sent, and a small script to be answered', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { echo });
    await call(caller, 'echo');
    const [sent, answered] = [noted(caller), noted(server)];
    for (let number = 0; number < 20; number += 1) expect(await call(caller, 'echo', { payloadJson: `${number}` })).toBe(`${number}`);
    // Now and then a call looks at how many wait, and an answer at the clock.
    expect(sent.filter((name) => name === 'XADD').length).toBeGreaterThan(0);
    expect(answered.filter((name) => name === 'answer-one.lua').length).toBeGreaterThan(0);
    await waitFor(() => server.rpc.serverCounters.answered === 21, { what: 'all answers to be counted' });
    expect(server.rpc.serverCounters).toMatchObject({ fenced: 0, droppedAnswers: 0 });
    expect(caller.rpc.callerCounters).toMatchObject({ sent: 21, answered: 21 });
    expect(await ground.command('XLEN', stream())).toBe(0);
  });

  it('is rejected when too many wait, also by the one command', async () => {
    const [server, caller] = [await ground.start(), await ground.start({ maxWaiting: 250 })];
    const held = gate();
    await serve(server, { echo, hold: () => held.promise.then(() => null) }, { concurrency: 1 });
    await call(caller, 'echo');
    const holding = call(caller, 'hold');
    await waitFor(() => server.rpc.serverCounters.inFlight === 1, { what: 'the slot to be taken' });
    const names = noted(caller);
    const calls: Promise<unknown>[] = [];
    for (let number = 0; number < 260; number += 1) {
      calls.push(call(caller, 'hold').then(() => 'held', (error: unknown) => (error as { code: string }).code));
      await new Promise(setImmediate);
    }
    await waitFor(() => caller.rpc.callerCounters.failed === 11, { what: 'calls to be rejected' });
    held.open();
    await holding;
    // The one that is executed is in the stream, too.
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 260 }, (_, number) => (number < 249 ? 'held' : 'BACK_PRESSURE')));
    expect(names).toContain('XADD');
  });

  it('is rejected at once by the one command when the instance that it is for has gone', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const serving = await serve(server, { echo });
    const options = { instance: serving.member };
    await call(caller, 'echo', options);
    await serving.stop(1_000);
    const names = noted(caller);
    expect(await failureOf(call(caller, 'echo', options))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(names).toHaveLength(1);
    expect(await ground.command('EXISTS', instanceKey(ground.prefix, serving.member))).toBe(0);
  });

  it('is not answered when its request was settled by others', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const [begun, held] = [gate(), gate()];
    await serve(server, { hold: () => (begun.open(), held.promise.then(() => '1')) });
    const calling = failureOf(call(caller, 'hold', { timeoutMs: 500 }));
    await begun.promise;
    const [[id]] = (await ground.command('XRANGE', stream(), '-', '+')) as [[string, unknown]];
    await ground.command('XACK', stream(), SERVERS, id);
    held.open();
    await waitFor(() => server.rpc.serverCounters.fenced === 1, { what: 'the answer to be refused' });
    expect(await calling).toMatchObject({ code: 'CALL_TIMEOUT' });
    expect(caller.rpc.callerCounters).toMatchObject({ lateAnswers: 0 });
  });

  it.each(['string', 'nothing'])('makes no inbox, and harms nothing, when its inbox is %s', async (kind) => {
    const server = await ground.start();
    await serve(server, { echo });
    const inbox = inboxKey(ground.prefix, 'nobody');
    if (kind === 'string') await ground.command('SET', inbox, 'text');
    await server.rpc.call({ ...SERVICE, method: 'echo', payloadJson: '1', timeoutMs: 1_000, idempotent: true });
    await ground.command('XADD', stream(), '*', '[1,"echo","nobody",10000,0]', '1');
    await waitFor(async () => (await ground.command('XLEN', stream())) === 0, { what: 'the request to be settled' });
    expect(await ground.command('TYPE', inbox)).toBe(kind === 'string' ? 'string' : 'none');
  });
});
