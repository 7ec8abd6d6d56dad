import { expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import { instanceKey, requestsKey, RpcRemoteError } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, serve, SERVICE } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';
import type { SiteGround } from '../site-ground.js';

export function callsAreAnswered(ground: SiteGround): void {
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const emptied = (): Promise<unknown> => waitFor(async () => (await ground.on(stream(), 'XLEN')) === 0, { what: 'the stream to be empty' });

  it('with the text of the method, and with nothing where it gives nothing', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { echo: async ({ payload }) => payload, nothing: async () => null });
    expect(await call(caller, 'echo', { payloadJson: '{"a":"\\"b"}' })).toBe('{"a":"\\"b"}');
    expect(await call(caller, 'nothing')).toBeNull();
    expect(caller.rpc.callerCounters).toMatchObject({ sent: 2, answered: 2 });
  });

  it('each with its own, whichever of several callers made it and whichever of several instances took it', async () => {
    const [one, other, ...servers] = await Promise.all([1, 2, 3, 4].map(() => ground.start()));
    for (const server of servers) await serve(server, { echo: async ({ payload }) => payload });
    const made = (name: string): string[] => Array.from({ length: 1_000 }, (_, value) => `"${name} ${value}"`);
    const echoed = (caller: RpcProcess, name: string): Promise<(string | null)[]> =>
      Promise.all(made(name).map((payloadJson) => call(caller, 'echo', { payloadJson })));
    const [ofOne, ofOther] = await Promise.all([echoed(one!, 'one'), echoed(other!, 'other')]);
    expect([ofOne, ofOther]).toEqual([made('one'), made('other')]);
    await emptied();
    const none = { lateAnswers: 0, unknownAnswers: 0, malformed: 0 };
    for (const caller of [one!, other!]) expect(caller.rpc.callerCounters).toMatchObject(none);
  });

  it('when they are made one after the other, as lone calls are', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { echo: async ({ payload }) => payload });
    for (let value = 0; value < 50; value += 1) expect(await call(caller, 'echo', { payloadJson: `${value}` })).toBe(`${value}`);
    await emptied();
    expect(server.rpc.serverCounters).toMatchObject({ answered: 50, droppedAnswers: 0 });
  });

  it('by the chosen instance, and by no other', async () => {
    const [one, other, caller] = [await ground.start(), await ground.start(), await ground.start()];
    const { member } = await serve(one, { who: async () => '"one"' }, { concurrency: 1 });
    await serve(other, { who: async () => '"other"' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(caller, 'who', { instance: member })));
    expect(new Set(answers)).toEqual(new Set(['"one"']));
  });

  it('with the error of the method', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, {
      fail: () => Promise.reject(Object.assign(new TypeError('no price'), { code: 'E_PRICE' })),
      refuse: () => Promise.reject(new MillraceError('INVALID_PAYLOAD', 'not this', { retryable: true })),
    });
    const failure = await failureOf(call(caller, 'fail'));
    expect(failure).toBeInstanceOf(RpcRemoteError);
    expect(failure).toMatchObject({ code: 'REMOTE_FAILED', remote: { name: 'TypeError', message: 'no price', code: 'E_PRICE' } });
    expect(await failureOf(call(caller, 'refuse'))).toMatchObject({ code: 'INVALID_PAYLOAD', message: 'not this', retryable: true });
    expect(await failureOf(call(caller, 'unknown'))).toMatchObject({ code: 'UNKNOWN_METHOD' });
  });

  it('with NO_INSTANCE at once when nobody serves the service, or the chosen instance has gone', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    expect(await failureOf(call(caller, 'echo'))).toMatchObject({ code: 'NO_INSTANCE', retryable: true });
    const serving = await serve(server, { echo: async () => null });
    await call(caller, 'echo', { instance: serving.member });
    await serving.stop(1_000);
    expect(await ground.on(instanceKey(ground.prefix, serving.member), 'EXISTS')).toBe(0);
    expect(await failureOf(call(caller, 'echo', { instance: serving.member }))).toMatchObject({ code: 'NO_INSTANCE' });
  });

  it('with BACK_PRESSURE when too many wait', async () => {
    const [server, caller] = [await ground.start(), await ground.start({ maxWaiting: 3 })];
    const held = gate();
    await serve(server, { hold: () => held.promise.then(() => null) }, { concurrency: 1 });
    const calls = Array.from({ length: 5 }, () => call(caller, 'hold'));
    for (const refused of calls.slice(3)) expect(await failureOf(refused)).toMatchObject({ code: 'BACK_PRESSURE', retryable: true });
    held.open();
    await Promise.all(calls.slice(0, 3));
  });

  it('by nobody when they are one-way: Redis has the request', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const heard: string[] = [];
    await serve(server, { note: async ({ payload }) => (heard.push(payload), '"unheard"') });
    expect(await call(caller, 'note', { oneWay: true, payloadJson: '"x"' })).toBeNull();
    await waitFor(() => heard.length === 1, { what: 'the note to be heard' });
    await emptied();
    expect(server.rpc.serverCounters).toMatchObject({ answered: 0, droppedAnswers: 0 });
    expect(caller.rpc.callerCounters).toMatchObject({ sent: 1, answered: 0 });
  });
}
