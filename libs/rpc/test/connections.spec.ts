import { describe, expect, it } from '@jest/globals';
import { RedisFailure } from '@millrace/redis';
import { requestsKey } from '@millrace/rpc';
import { SlottedTopology, waitFor } from '@millrace/testing';
import { call, failureOf, gate, RpcGround, serve, SERVICE } from './rpc-ground.js';
import { replaceSending } from './sending.js';

describe('calls in flight', () => {
  const ground = new RpcGround('connections');
  const stream = (): string => requestsKey(ground.prefix, SERVICE);

  type Make = (value: number) => Promise<string | null>;

  /** Makes a call each millisecond, for as long as `during` takes. */
  async function callWhile(make: Make, during: () => Promise<void>): Promise<(string | null)[]> {
    const calls: Promise<string | null>[] = [];
    const timer = setInterval(() => calls.push(make(calls.length)), 1);
    await waitFor(() => calls.length > 50, { what: 'calls to be in flight' });
    await during();
    clearInterval(timer);
    return Promise.all(calls);
  }

  it.each(['reset', 'cut'] as const)('are all answered when the connections of their caller are %s for 300 ms', async (fault) => {
    const server = await ground.start();
    const { process: caller, proxy } = await ground.startBehindProxy();
    await serve(server, { echo: async ({ payload }) => payload });
    await call(caller, 'echo');
    const answers = await callWhile((value) => call(caller, 'echo', { payloadJson: `${value}`, timeoutMs: 30_000 }), async () => {
      if (fault === 'reset') await proxy.refuse();
      else proxy.blackHole();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await proxy.pass();
    });
    expect(answers).toEqual(answers.map((_, value) => `${value}`));
  });

  it('are sent when a connection that breaks refuses them before it says so', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { echo: async ({ payload }) => payload });
    await call(caller, 'echo');
    const connection = caller.redis.publishFor('');
    let [refused, isBroken] = [0, true];
    replaceSending(connection, async ({ send }) => {
      if (!isBroken || refused > 1_000) return send();
      if (refused === 0) setTimeout(() => void (isBroken = false));
      refused += 1;
      throw new RedisFailure('unsent', 'it breaks', undefined);
    });
    expect(await call(caller, 'echo', { payloadJson: '7' })).toBe('7');
    expect(refused).toBeGreaterThan(0);
    // The connection could say so.
    expect(refused).toBeLessThan(10);
  });

  it('are sent again with the same id when they are idempotent and Redis did not say whether it has them', async () => {
    const server = await ground.start();
    const { process: caller, proxy } = await ground.startBehindProxy();
    let executed = 0;
    const twice = gate();
    const note = async ({ id, payload }: { id: string; payload: string }): Promise<string> => {
      if (id !== 'five') return payload;
      executed += 1;
      if (executed === 2) twice.open();
      await twice.promise;
      return payload;
    };
    await serve(server, { note });
    await call(caller, 'note');
    // From here on a call is sent without a look at the registry.
    await caller.rpc.instances.use(SERVICE.service);
    const publish = caller.redis.publishFor('');
    const epoch = publish.connectionEpoch;
    void proxy.dropReplies();
    const calling = call(caller, 'note', { payloadJson: '5', requestId: 'five', timeoutMs: 30_000 });
    const oneWay = failureOf(call(caller, 'note', { idempotent: false, oneWay: true, timeoutMs: 30_000 }));
    await waitFor(() => publish.connectionEpoch > epoch, { what: 'the connection to be given up' });
    await proxy.pass();
    expect(await calling).toBe('5');
    expect(await oneWay).toMatchObject({ code: 'CALL_INDEFINITE' });
    // The second reply is lost, too, with the connection that is given up: the request goes out once more when the next one is
    // there before the inbox has been read.
    await waitFor(() => caller.rpc.callerCounters.lateAnswers === executed - 1, { what: 'all answers but the first to be dropped' });
  });

  it('are sent when the connection comes back, and say that nothing was sent when it does not', async () => {
    const server = await ground.start();
    const { process: caller, proxy } = await ground.startBehindProxy();
    await serve(server, { note: async ({ payload }) => payload }, { idempotent: false });
    await call(caller, 'note', { idempotent: false });
    await proxy.refuse();
    await waitFor(() => !caller.redis.publishFor('').isReady, { what: 'the connection to be lost' });
    const patient = call(caller, 'note', { idempotent: false, payloadJson: '7', timeoutMs: 30_000 });
    expect(await failureOf(call(caller, 'note', { idempotent: false, timeoutMs: 100 }))).toMatchObject({ code: 'CALL_TIMEOUT', mayHaveRun: false });
    await proxy.pass();
    expect(await patient).toBe('7');
  });

  it('are answered once when an instance loses the reply to its answers', async () => {
    const caller = await ground.start();
    const { process: server, proxy } = await ground.startBehindProxy({ leaseMs: 30_000 });
    const held = gate();
    await serve(server, { hold: ({ payload }) => held.promise.then(() => payload), ping: async () => null });
    // Redis has the script of answers from now on: it is not asked for it with a reply that is lost.
    await call(caller, 'ping');
    const calls = [1, 2, 3].map((value) => call(caller, 'hold', { payloadJson: `${value}` }));
    await waitFor(() => server.rpc.serverCounters.inFlight === 3, { what: 'all to be begun' });
    const publish = server.redis.publishFor('');
    const epoch = publish.connectionEpoch;
    void proxy.dropReplies();
    held.open();
    expect(await Promise.all(calls)).toEqual(['1', '2', '3']);
    await waitFor(() => publish.connectionEpoch > epoch, { what: 'the connection to be given up' });
    await proxy.pass();
    await waitFor(() => server.rpc.serverCounters.answered === 4, { what: 'the answers to be settled' });
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 4, lateAnswers: 0 });
    expect(server.rpc.serverCounters).toMatchObject({ fenced: 0 });
  });

  it('work again when Redis has lost all streams', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { echo: async ({ payload }) => payload });
    expect(await call(caller, 'echo')).toBe('1');
    await ground.command('FLUSHALL');
    await waitFor(async () => (await ground.command('EXISTS', stream())) === 1, { what: 'the stream to be made again' });
    // The instance says again that it is there.
    await waitFor(async () => (await call(caller, 'echo', { payloadJson: '2' }).catch(() => null)) === '2', { what: 'the service to be found' });
  });

  it('go their way where no script may touch two streams', async () => {
    const slotted = (): Promise<SlottedTopology> => SlottedTopology.open(ground.server.url, [stream(), `${ground.prefix}:{presence}:x`]);
    const [server, caller] = [await ground.start({ redis: await slotted() }), await ground.start({ redis: await slotted() })];
    const { member } = await serve(server, { echo: async ({ payload }) => payload, fail: () => Promise.reject(new Error('no')) });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, value) => call(caller, 'echo', { payloadJson: `${value}` })));
    expect(answers).toEqual(answers.map((_, value) => `${value}`));
    expect(await call(caller, 'echo', { instance: member, payloadJson: '"own"' })).toBe('"own"');
    expect(await failureOf(call(caller, 'fail'))).toMatchObject({ code: 'REMOTE_FAILED' });
    await waitFor(async () => (await ground.command('XLEN', stream())) === 0, { what: 'all to be settled' });
  });
});
