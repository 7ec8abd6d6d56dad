import { describe, expect, it } from '@jest/globals';
import { requestsKey, RpcTimeoutError } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, RpcGround, serve, SERVICE, untilAborted } from './rpc-ground.js';

describe('a call that is not answered in time', () => {
  const ground = new RpcGround('deadlines');
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const emptied = (): Promise<unknown> => waitFor(async () => (await ground.command('XLEN', stream())) === 0, { what: 'the stream to be empty' });

  it('is rejected, says that it may have been executed, and aborts the signal of the method', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const aborted = gate();
    await serve(server, { hang: untilAborted(() => undefined, aborted.open, '"late"') });
    const failure = await failureOf(call(caller, 'hang', { timeoutMs: 1_000 }));
    expect(failure).toBeInstanceOf(RpcTimeoutError);
    expect(failure).toMatchObject({ code: 'CALL_TIMEOUT', retryable: true, mayHaveRun: true });
    await aborted.promise;
    await emptied();
    expect(await failureOf(call(caller, 'hang', { timeoutMs: 50, idempotent: false }))).toMatchObject({ retryable: false });
    await emptied();
    expect(caller.rpc.callerCounters).toMatchObject({ timedOut: 2, lateAnswers: 0 });
    expect(server.rpc.serverCounters).toMatchObject({ cancelled: 2, answered: 0 });
  });

  it('is rejected at once, and not sent, when its time is over before it begins', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { echo: async () => null });
    expect(await failureOf(call(caller, 'echo', { timeoutMs: 0 }))).toMatchObject({ code: 'CALL_TIMEOUT', mayHaveRun: false });
    expect(caller.rpc.callerCounters).toMatchObject({ sent: 0, timedOut: 1 });
  });

  it('leaves no request behind when nobody took it', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    await serve(server, { hold: () => held.promise.then(() => null) }, { concurrency: 1 });
    const first = call(caller, 'hold');
    const failures = await Promise.all(Array.from({ length: 100 }, () => failureOf(call(caller, 'hold', { timeoutMs: 100 }))));
    expect(failures.every(({ code }) => code === 'CALL_TIMEOUT')).toBe(true);
    await waitFor(async () => (await ground.command('XLEN', stream())) === 1, { what: 'the requests to be withdrawn' });
    held.open();
    await first;
    await waitFor(() => server.rpc.serverCounters.answered === 1, { what: 'Redis to have said that it took the answer' });
    expect(server.rpc.serverCounters).toMatchObject({ expired: 0, cancelled: 0 });
  });

  it('is never executed afterwards, also when no instance read meanwhile', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { note: async () => null });
    server.redis.close();
    // The caller is cut off before it can withdraw the request.
    const calling = failureOf(call(caller, 'note', { timeoutMs: 2_000 }));
    await waitFor(async () => (await ground.command('XLEN', stream())) === 1, { what: 'the request to be stored' });
    caller.redis.close();
    expect(await calling).toMatchObject({ code: 'CALL_TIMEOUT' });
    await waitFor(async () => (await ageOfFirst(ground, stream())) > 2_000, { what: 'the request to expire' });
    const executed: string[] = [];
    const late = await ground.start();
    await serve(late, { note: async () => (executed.push('note'), null) });
    await emptied();
    expect(executed).toEqual([]);
    expect(late.rpc.serverCounters).toMatchObject({ expired: 1 });
  });

  it('has the signal of its method aborted also when nobody says that it is over', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    let isAborted = false;
    await serve(server, { hang: untilAborted(begun.open, () => void (isAborted = true)) });
    const calling = failureOf(call(caller, 'hang', { timeoutMs: 1_000 }));
    await begun.promise;
    caller.redis.close();
    await waitFor(() => isAborted, { what: 'the signal to abort' });
    expect(await calling).toMatchObject({ code: 'CALL_TIMEOUT' });
  });
});

describe('a call that its caller cancels', () => {
  const ground = new RpcGround('cancels');
  const stream = (): string => requestsKey(ground.prefix, SERVICE);

  it('has its signal aborted when it was begun, and gets no answer', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    let isAborted = false;
    await serve(server, { hang: untilAborted(begun.open, () => void (isAborted = true)) });
    const giveUp = new AbortController();
    // Its deadline, which would abort the signal as well, is far.
    const calling = failureOf(call(caller, 'hang', { signal: giveUp.signal, timeoutMs: 3_600_000 }));
    await begun.promise;
    giveUp.abort();
    expect(await calling).toMatchObject({ code: 'CALL_CANCELLED' });
    await waitFor(() => isAborted, { what: 'the signal to abort' });
    await waitFor(async () => (await ground.command('XLEN', stream())) === 0, { what: 'the request to be settled' });
    expect(server.rpc.serverCounters).toMatchObject({ cancelled: 1, answered: 0, failed: 0 });
    expect(caller.rpc.callerCounters).toMatchObject({ cancelled: 1, lateAnswers: 0 });
  });

  it('has its late answer dropped when the method ends all the same', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const [begun, held] = [gate(), gate()];
    await serve(server, { hold: () => (begun.open(), held.promise.then(() => '"late"')) });
    // Nobody hears that the caller waits no longer, and the deadline, which would tell, is far.
    const publish = caller.redis.publishFor('');
    const run = publish.run.bind(publish);
    publish.run = (script, ...args) => (script.name === 'withdraw.lua' ? Promise.reject(new Error('as planned')) : run(script, ...args));
    const giveUp = new AbortController();
    const calling = failureOf(call(caller, 'hold', { signal: giveUp.signal, timeoutMs: 3_600_000 }));
    await begun.promise;
    giveUp.abort();
    await calling;
    held.open();
    await waitFor(() => caller.rpc.callerCounters.lateAnswers === 1, { what: 'the late answer' });
    expect(server.rpc.serverCounters).toMatchObject({ answered: 1 });
  });

  it('is withdrawn also when it was cancelled while it was being sent', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    await serve(server, { hold: () => held.promise.then(() => null), echo: async () => null }, { concurrency: 1 });
    await call(caller, 'echo');
    const first = call(caller, 'hold');
    await waitFor(() => caller.rpc.callerCounters.sent === 2, { what: 'it to be stored' });
    // A caller that must look for instances again sends nothing before it gives up: then it calls once more.
    const isStored = async (): Promise<boolean> => {
      const giveUp = new AbortController();
      const second = failureOf(call(caller, 'hold', { signal: giveUp.signal }));
      process.nextTick(() => process.nextTick(() => giveUp.abort()));
      expect(await second).toMatchObject({ code: 'CALL_CANCELLED' });
      return caller.rpc.callerCounters.sent > 2;
    };
    await waitFor(isStored, { what: 'it to be stored' });
    await waitFor(async () => (await ground.command('XLEN', stream())) === 1, { what: 'it to be withdrawn' });
    held.open();
    await first;
  });

  it('is rejected at once when the signal had aborted before', async () => {
    const caller = await ground.start();
    expect(await failureOf(call(caller, 'echo', { signal: AbortSignal.abort() }))).toMatchObject({ code: 'CALL_CANCELLED' });
    expect(caller.rpc.callerCounters).toMatchObject({ cancelled: 1, sent: 0 });
  });
});

/** How long ago the first entry of a stream was stored, by Redis's clock, in milliseconds. */
async function ageOfFirst(ground: RpcGround, key: string): Promise<number> {
  const [[entry], [seconds, micros]] = (await Promise.all([
    ground.command('XRANGE', key, '-', '+', 'COUNT', 1),
    ground.command('TIME'),
  ])) as [[[string, string[]]], [string, string]];
  return Number(seconds) * 1_000 + Number(micros) / 1_000 - Number.parseInt(entry[0], 10);
}
