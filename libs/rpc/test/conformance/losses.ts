import { setTimeout } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { inboxKey, requestsKey, SERVERS } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, serve, SERVICE } from '../rpc-ground.js';
import type { SiteGround } from '../site-ground.js';

/** The shortest that a process may be cut off: its connections are lost, and are made again. */
const AWAY_MS = 300;

export function lossesAreMendedOrTold(ground: SiteGround): void {
  const stream = (): string => requestsKey(ground.prefix, SERVICE);

  it.each(['reset', 'cut'] as const)('all answered when the connections of their caller are %s for a while', async (fault) => {
    const server = await ground.start();
    const { process: caller, network } = await ground.startBehindNetwork();
    await serve(server, { echo: async ({ payload }) => payload });
    await call(caller, 'echo');
    const calls: Promise<string | null>[] = [];
    const timer = setInterval(() => calls.push(call(caller, 'echo', { payloadJson: `${calls.length}`, timeoutMs: 30_000 })), 2);
    await waitFor(() => calls.length > 50, { what: 'calls to be in flight' });
    if (fault === 'reset') await network.refuse();
    else network.blackHole();
    await setTimeout(AWAY_MS);
    await network.pass();
    clearInterval(timer);
    const answers = await Promise.all(calls);
    expect(answers).toEqual(answers.map((_, value) => `${value}`));
  });

  it('executed once, where they are not idempotent, when the replies to their caller are lost', async () => {
    const server = await ground.start();
    const { process: caller, network } = await ground.startBehindNetwork();
    const executed: string[] = [];
    await serve(server, { note: async ({ payload }) => (executed.push(payload), payload) }, { idempotent: false });
    await call(caller, 'note', { idempotent: false });
    await caller.rpc.instances.use(SERVICE.service);
    executed.length = 0;
    const dropped = network.dropReplies();
    const calls = Array.from({ length: 20 }, (_, value) => call(caller, 'note', { payloadJson: `${value}`, idempotent: false, timeoutMs: 30_000 }));
    await dropped;
    await waitFor(() => executed.length === 20, { what: 'all to be executed' });
    await network.pass();
    expect(await Promise.all(calls)).toEqual(calls.map((_, value) => `${value}`));
    expect(executed).toHaveLength(20);
    expect(caller.rpc.callerCounters).toMatchObject({ sent: 21, answered: 21 });
  });

  it('executed once when the replies are lost that bring them to their instance', async () => {
    const caller = await ground.start();
    const { process: server, network } = await ground.startBehindNetwork({ leaseMs: 30_000 });
    const executed: string[] = [];
    await serve(server, { note: async ({ payload }) => (executed.push(payload), payload) }, { idempotent: false });
    await call(caller, 'note', { idempotent: false });
    // The script that settles is known to the server by then: it is not asked for with a reply that is lost.
    await waitFor(async () => (await ground.on(stream(), 'XLEN')) === 0, { what: 'it to be settled' });
    executed.length = 0;
    const dropped = network.dropReplies();
    const calls = [1, 2, 3].map((value) => call(caller, 'note', { payloadJson: `${value}`, idempotent: false, timeoutMs: 30_000 }));
    const pending = async (): Promise<number> => ((await ground.on(stream(), 'XPENDING', SERVERS)) as [number])[0];
    await waitFor(async () => (await pending()) === 3, { what: 'the instance to be given all' });
    await dropped;
    expect(executed).toEqual([]);
    await network.pass();
    expect(await Promise.all(calls)).toEqual(['1', '2', '3']);
    expect(executed.sort()).toEqual(['1', '2', '3']);
  });

  it.each(['before', 'after'] as const)('answered when their inbox vanishes, and is made again %s the answer is there', async (moment) => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    let from = '';
    await serve(server, { hold: (request) => ((from = request.caller), held.promise.then(() => '"kept"')), echo: async () => null });
    await call(caller, 'echo');
    const calling = call(caller, 'hold', { timeoutMs: 30_000 });
    await waitFor(() => from !== '', { what: 'it to be begun' });
    const inbox = inboxKey(ground.prefix, from);
    await ground.on(inbox, 'DEL');
    if (moment === 'before') await waitFor(async () => (await ground.on(inbox, 'EXISTS')) === 1, { what: 'the inbox to be made again' });
    held.open();
    expect(await calling).toBe('"kept"');
    expect(caller.rpc.callerCounters).toMatchObject({ inboxesMade: 1 });
  });

  it('answered again when the streams of requests have vanished', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { member } = await serve(server, { echo: async ({ payload }) => payload });
    expect(await call(caller, 'echo')).toBe('1');
    await ground.on(stream(), 'DEL');
    await waitFor(async () => (await call(caller, 'echo', { payloadJson: '2' }).catch(() => null)) === '2', { what: 'the service to answer' });
    expect(await call(caller, 'echo', { payloadJson: '3', instance: member })).toBe('3');
  });

  it('answered, or end in time with an error that has a code, when all servers crash at once', async () => {
    const [server, caller] = [await ground.start({ leaseMs: 1_500 }), await ground.start({ leaseMs: 1_500 })];
    const executed: string[] = [];
    await serve(server, { echo: async ({ payload }) => payload, note: async ({ payload }) => (executed.push(payload), payload) });
    await call(caller, 'echo');
    const calls: Promise<string>[] = [];
    const make = (): void => {
      const [value, idempotent] = [calls.length, calls.length % 2 === 0];
      // Nobody knows of one that was on its way at that moment: it is sent again only where it may be repeated.
      const calling = call(caller, idempotent ? 'echo' : 'note', { payloadJson: `${value}`, idempotent, timeoutMs: idempotent ? 30_000 : 3_000 });
      calls.push(calling.then((answer) => (answer === `${value}` ? 'answered' : 'wrong'), (error: unknown) => (error as { code: string }).code));
    };
    const timer = setInterval(make, 5);
    await waitFor(() => calls.length > 20, { what: 'calls to be in flight' });
    await ground.site.crash();
    clearInterval(timer);
    const ends = await Promise.all(calls);
    expect(new Set(ends.filter((_, value) => value % 2 === 0))).toEqual(new Set(['answered']));
    expect(ends.filter((end) => !['answered', 'CALL_TIMEOUT', 'CALL_INDEFINITE'].includes(end))).toEqual([]);
    expect(executed).toHaveLength(new Set(executed).size);
    expect(await call(caller, 'echo', { payloadJson: '"after"', timeoutMs: 30_000 })).toBe('"after"');
    expect(await failureOf(call(caller, 'unknown'))).toMatchObject({ code: 'UNKNOWN_METHOD' });
  });
}
