import { describe, expect, it } from '@jest/globals';
import { inboxKey, requestsKey, SERVERS } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, RpcGround, serve, SERVICE } from './rpc-ground.js';

/** Fields of entries that are no request. */
const MALFORMED: readonly (readonly string[])[] = [
  ['x', 'y'],
  ['h', '[1,"echo","in",1000,0]'],
  ['[1,"echo","in",1000,0]', '1', 'x', 'y'],
  ['no json', '1'],
  ['{}', '1'],
  ['null', '1'],
  ['[]', '1'],
  ['["1","echo","in",1000,0]', '1'],
  ['[1.5,"echo","in",1000,0]', '1'],
  ['[-1,"echo","in",1000,0]', '1'],
  ['[1,7,"in",1000,0]', '1'],
  ['[1,"","in",1000,0]', '1'],
  ['[1,"echo","in",1e300,0]', '1'],
  ['[1,"echo","in",-1,0]', '1'],
  ['[1,"echo","in",1000,9]', '1'],
  ['[1,"echo","in",1000,1,7]', '1'],
  ['[1,"echo","in",1000,1,null,{"a":1}]', '1'],
  ['[1,"echo","in",1000,1,null,[]]', '1'],
  // Windows of streams that nobody could take, or that are repeated.
  ['[1,"echo","in",1000,0,null,null,-1]', '1'],
  ['[1,"echo","in",1000,0,null,null,"8"]', '1'],
  ['[1,"echo","in",1000,0,null,null,10001]', '1'],
  ['[1,"echo","in",1000,2,null,null,8]', '1'],
  ['[1,"echo","in",1000,1,"id",null,8]', '1'],
  // Addresses that lead to other keys than inboxes.
  ['[1,"echo","a}:other",1000,0]', '1'],
  ['[1,"echo","{x}",1000,0]', '1'],
  ['[1,"echo","a:b",1000,0]', '1'],
  ['[1,"echo","",1000,0]', '1'],
  [`[1,"echo","${'a'.repeat(300)}",1000,0]`, '1'],
  [`[1,"echo","in",1000,0,"id",{"a":"${'a'.repeat(70_000)}"}]`, '1'],
];

describe('an entry that others write into a stream of calls', () => {
  const ground = new RpcGround('forged');
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const emptied = (): Promise<unknown> => waitFor(async () => (await ground.command('XLEN', stream())) === 0, { what: 'the stream to be empty' });

  it('is dropped, counted and not executed when it is no request', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let executed = 0;
    await serve(server, { echo: async () => ((executed += 1), null) });
    for (const fields of MALFORMED) await ground.command('XADD', stream(), '*', ...fields);
    await emptied();
    expect(await ground.command('XPENDING', stream(), SERVERS)).toEqual([0, null, null, null]);
    expect(server.rpc.serverCounters.malformed).toBe(MALFORMED.length);
    expect(executed).toBe(0);
    expect(await call(caller, 'echo')).toBeNull();
  });

  it('writes to no inbox that is not there', async () => {
    const server = await ground.start();
    const held = gate();
    await serve(server, { hold: ({ payload }) => held.promise.then(() => payload) });
    for (const correlation of [1, 2]) await ground.command('XADD', stream(), '*', `[${correlation},"hold","nobody",10000,0]`, '1');
    await waitFor(() => server.rpc.serverCounters.inFlight === 2, { what: 'both to be begun' });
    held.open();
    await waitFor(() => server.rpc.serverCounters.droppedAnswers === 2, { what: 'the answers to be dropped' });
    expect(await ground.command('EXISTS', inboxKey(ground.prefix, 'nobody'))).toBe(0);
    await emptied();
  });

  it('harms no other answer when an inbox is a key of another type', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    await serve(server, { hold: () => held.promise.then(() => '"good"') });
    await ground.command('SET', inboxKey(ground.prefix, 'text'), 'kept');
    await ground.command('XADD', stream(), '*', '[1,"hold","text",10000,0]', '1');
    const calling = call(caller, 'hold');
    await waitFor(() => server.rpc.serverCounters.inFlight === 2, { what: 'both to be begun' });
    held.open();
    expect(await calling).toBe('"good"');
    await waitFor(() => server.rpc.serverCounters.droppedAnswers === 1, { what: 'the other answer to be dropped' });
    expect(await ground.command('GET', inboxKey(ground.prefix, 'text'))).toBe('kept');
    await emptied();
  });

  it('settles no call twice, nor one that was not made', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let from = '';
    await serve(server, { echo: async (request) => ((from = request.caller), request.payload) });
    await call(caller, 'echo');
    const inbox = inboxKey(ground.prefix, from);
    await ground.command('XADD', inbox, '*', 'r1', '"again"', 'r999', '"never"', 'e0', 'x', 'r1e3', 'x', 'z2', 'x', '', 'x', 'r-1', 'x');
    await waitFor(() => caller.rpc.callerCounters.malformed === 4, { what: 'the forged answers to be read' });
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 1, lateAnswers: 1, unknownAnswers: 2 });
    expect(await call(caller, 'echo', { payloadJson: '2' })).toBe('2');
  });

  it('makes an error that says so of an error answer that is none', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    let from = '';
    await serve(server, { hang: ({ caller: name, signal }) => ((from = name), begun.open(), new Promise((resolve) => signal.addEventListener('abort', () => resolve(null)))) });
    const calling = failureOf(call(caller, 'hang', { timeoutMs: 2_000 }));
    await begun.promise;
    await ground.command('XADD', inboxKey(ground.prefix, from), '*', 'e1', 'no json');
    expect(await calling).toMatchObject({ code: 'REMOTE_FAILED' });
  });
});
