import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import { inboxKey, instanceKey, requestsKey, RpcNoInstanceError, RpcRemoteError, SERVERS } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import type { RpcProcess } from './rpc-process.js';
import { call, failureOf, gate, RpcGround, serve, SERVICE } from './rpc-ground.js';

describe('calls', () => {
  const ground = new RpcGround('calls');

  it('show the method who calls, by which id, with which headers, and how long it may take', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, {
      look: async ({ id, service, version, method, headers, caller: from, takenOver }) =>
        JSON.stringify({ id, service, version, method, headers, from, takenOver }),
      time: async (request) => String(request.remainingMs()),
    });
    const seen = JSON.parse((await call(caller, 'look', { requestId: 'order-7', headers: { trace: 'x"y' } }))!) as Record<string, unknown>;
    expect(seen).toMatchObject({ ...SERVICE, id: 'order-7', method: 'look', headers: { trace: 'x"y' }, takenOver: false });
    expect(await ground.command('EXISTS', inboxKey(ground.prefix, seen.from as string))).toBe(1);
    const remaining = Number(await call(caller, 'time', { timeoutMs: 30_000 }));
    expect(remaining).toBeGreaterThan(20_000);
    expect(remaining).toBeLessThanOrEqual(30_000);
  });

  it('may be in flight in any number, and get each its own answer', async () => {
    const [caller, ...servers] = [await ground.start(), await ground.start(), await ground.start()];
    for (const server of servers) await serve(server, { echo: async ({ payload }) => payload });
    const answers = await Promise.all(Array.from({ length: 5_000 }, (_, value) => call(caller, 'echo', { payloadJson: `${value}` })));
    expect(answers).toEqual(Array.from({ length: 5_000 }, (_, value) => `${value}`));
    const stream = requestsKey(ground.prefix, SERVICE);
    await waitFor(async () => (await ground.command('XLEN', stream)) === 0, { what: 'the stream to be empty' });
  });

  it('go by one command when they are made in one tick, and so do their answers', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    let running = 0;
    await serve(server, {
      wait: async () => {
        running += 1;
        if (running === 64) begun.open();
        return begun.promise.then(() => null);
      },
    }, { concurrency: 64 });
    await failureOf(call(caller, 'unknown'));
    const [sent, answered] = [countRuns(caller, 'send.lua'), countRuns(server, 'answer.lua')];
    const before = await additions(ground);
    await Promise.all(Array.from({ length: 64 }, () => call(caller, 'wait')));
    expect([sent.runs, answered.runs]).toEqual([1, 1]);
    // An entry for each request, and one for all answers.
    expect((await additions(ground)) - before).toBe(65);
  });

  it('run no more at once than the service allows', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let [running, most] = [0, 0];
    await serve(server, {
      work: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running -= 1;
        return null;
      },
    }, { concurrency: 3 });
    await Promise.all(Array.from({ length: 60 }, () => call(caller, 'work')));
    expect(most).toBe(3);
  });

  it('are rejected at once when nobody has ever served the service, or the chosen instance has gone', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const failure = await failureOf(call(caller, 'echo'));
    expect(failure).toBeInstanceOf(RpcNoInstanceError);
    expect(failure).toMatchObject({ code: 'NO_INSTANCE', retryable: true });
    const serving = await serve(server, { echo: async () => null });
    await call(caller, 'echo', { instance: serving.member });
    await serving.stop(1_000);
    expect(await ground.command('EXISTS', instanceKey(ground.prefix, serving.member))).toBe(0);
    expect(await failureOf(call(caller, 'echo', { instance: serving.member }))).toMatchObject({ code: 'NO_INSTANCE' });
  });

  it('are rejected when too many wait', async () => {
    const [server, caller] = [await ground.start(), await ground.start({ maxWaiting: 3 })];
    const held = gate();
    await serve(server, { hold: () => held.promise.then(() => null) }, { concurrency: 1 });
    const calls = Array.from({ length: 5 }, () => call(caller, 'hold'));
    const failures = [await failureOf(calls[3]!), await failureOf(calls[4]!)];
    expect(failures).toEqual([expect.objectContaining({ code: 'BACK_PRESSURE', retryable: true }), expect.objectContaining({ code: 'BACK_PRESSURE' })]);
    held.open();
    await Promise.all(calls.slice(0, 3));
  });

  it('bring the error of the method, without its stack', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, {
      fail: async () => {
        throw Object.assign(new TypeError('no price', { cause: new Error('no row') }), { code: 'E_PRICE', status: 418 });
      },
      refuse: async () => {
        throw new MillraceError('INVALID_PAYLOAD', 'not this', { retryable: true });
      },
      throwAtOnce: () => {
        throw new Error('at once');
      },
    });
    const failure = await failureOf(call(caller, 'fail'));
    expect(failure).toBeInstanceOf(RpcRemoteError);
    expect(failure).toMatchObject({ code: 'REMOTE_FAILED', message: expect.stringContaining('no price') });
    const { remote } = failure as RpcRemoteError;
    expect(remote).toEqual({ name: 'TypeError', message: 'no price', code: 'E_PRICE', status: 418, cause: { name: 'Error', message: 'no row' } });
    expect(await failureOf(call(caller, 'refuse'))).toMatchObject({ name: 'MillraceError', code: 'INVALID_PAYLOAD', message: 'not this', retryable: true });
    expect(await failureOf(call(caller, 'throwAtOnce'))).toMatchObject({ remote: { message: 'at once' } });
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 0, failed: 3 });
    await waitFor(() => server.rpc.serverCounters.failed === 3, { what: 'Redis to have said that it took the answers' });
  });

  it('bring stacks where the service exposes them', async () => {
    const [server, caller] = [await ground.start({ exposeStacks: true }), await ground.start()];
    await serve(server, { fail: () => Promise.reject(new Error('here')) });
    const { remote } = (await failureOf(call(caller, 'fail'))) as RpcRemoteError;
    expect(remote.stack).toContain('calls.spec');
  });

  it('carry no more than the bound, in both directions', async () => {
    const [server, caller] = [await ground.start({ maxPayloadBytes: 1_000 }), await ground.start({ maxPayloadBytes: 2_000 })];
    await serve(server, { grow: async ({ payload }) => JSON.stringify('x'.repeat(Number(payload))) });
    expect(await failureOf(call(caller, 'grow', { payloadJson: `"${'x'.repeat(2_000)}"` }))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await failureOf(call(caller, 'grow', { payloadJson: `"${'x'.repeat(1_500)}"` }))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await failureOf(call(caller, 'grow', { payloadJson: '1000' }))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await call(caller, 'grow', { payloadJson: '900' })).toHaveLength(902);
  });

  it('are refused before they are sent when they are malformed', async () => {
    const caller = await ground.start();
    expect(await failureOf(call(caller, ''))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await failureOf(call(caller, 'm', { timeoutMs: Number.NaN }))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await failureOf(call(caller, 'm', { requestId: 'é'.repeat(200) }))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await failureOf(call(caller, 'm', { requestId: 'a', idempotent: false }))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await failureOf(call(caller, 'm', { instance: 'a}:b' }))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await failureOf(call(caller, 'm', { service: 'a:b' }))).toMatchObject({ code: 'INVALID_NAME' });
    expect(await failureOf(call(caller, 'm', { headers: { a: 1 as never } }))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('have their answers kept until they are read', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { echo: async ({ payload }) => payload });
    const held = gate();
    holdReads(caller, held.promise);
    const calling = call(caller, 'echo', { payloadJson: '7' });
    await waitFor(() => server.rpc.serverCounters.answered === 1, { what: 'the answer to be in the inbox' });
    const keeping = countRuns(caller, 'keep-inbox.lua');
    // The first of them has ended when the second begins.
    await waitFor(() => keeping.runs === 2, { what: 'the inbox to be looked after' });
    held.open();
    expect(await calling).toBe('7');
  });

  it('leave an inbox that is small and vanishes by itself', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let from = '';
    await serve(server, { echo: async (request) => ((from = request.caller), null) });
    for (let turn = 0; turn < 10; turn += 1) await call(caller, 'echo');
    const inbox = inboxKey(ground.prefix, from);
    await waitFor(async () => Number(await ground.command('XLEN', inbox)) <= 1, { what: 'the inbox to be trimmed' });
    expect(await ground.command('PTTL', inbox)).toBeGreaterThan(80_000_000);
    await caller.stop();
    expect(await ground.command('EXISTS', inbox)).toBe(0);
    await server.stop();
    expect(await ground.command('XINFO', 'CONSUMERS', requestsKey(ground.prefix, SERVICE), SERVERS)).toEqual([]);
  });
});

/** How many entries were added to streams. */
async function additions(ground: RpcGround): Promise<number> {
  const stats = String(await ground.command('INFO', 'commandstats'));
  return Number(/cmdstat_xadd:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** Keeps the process from reading its inbox, which it has not opened yet. */
function holdReads({ redis }: RpcProcess, until: Promise<void>): void {
  const blockingFor = redis.blockingFor.bind(redis);
  redis.blockingFor = (...place) => {
    const connection = blockingFor(...place);
    const run = connection.call.bind(connection);
    connection.call = async (...command) => {
      if (command[0] === 'XREAD') await until;
      return run(...command);
    };
    return connection;
  };
}

/** Counts how often the process runs a script from now on. */
function countRuns({ redis }: RpcProcess, name: string): { runs: number } {
  const count = { runs: 0 };
  const connection = redis.publishFor('');
  const run = connection.run.bind(connection);
  connection.run = (script, ...args) => {
    if (script.name === name) count.runs += 1;
    return run(script, ...args);
  };
  return count;
}
