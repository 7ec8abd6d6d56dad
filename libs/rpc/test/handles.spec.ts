import { afterEach, describe, expect, it } from '@jest/globals';
import { handleInbox, inboxKey, type OutgoingCall, requestsKey } from '@millrace/rpc';
import { SlottedTopology, waitFor } from '@millrace/testing';
import { InstanceChild } from './instance-child.js';
import { methodsWith } from './methods.js';
import { failureOf, gate, LEASE_MS, RpcGround, serve, SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';
import { replaceSending } from './sending.js';

interface Start extends Partial<OutgoingCall> {
  readonly id?: string;
}

function start({ rpc }: RpcProcess, method: string, { id, ...options }: Start = {}): Promise<string> {
  return rpc.start({ ...SERVICE, method, payloadJson: '1', timeoutMs: 30_000, idempotent: true, ...options }, id);
}

type Given = readonly [method: string, id: string, timeoutMs?: number, signal?: AbortSignal];

function result({ rpc }: RpcProcess, ...[method, id, timeoutMs = 10_000, signal]: Given): Promise<string | null> {
  return rpc.result({ ...SERVICE, method, id }, { timeoutMs, signal });
}

describe('calls whose results are fetched later', () => {
  const ground = new RpcGround('handles');
  const children: InstanceChild[] = [];
  const keyOf = (id: string): string => inboxKey(ground.prefix, handleInbox(id));

  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function startChild(): Promise<InstanceChild> {
    const plan = { prefix: ground.prefix, leaseMs: LEASE_MS, concurrency: 8, workMs: 60_000 };
    const child = new InstanceChild({ target: ground.target, ...plan });
    children.push(child);
    return child.serving();
  }

  it('are answered to another process when the one that started them is gone', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const go = gate();
    await serve(server, { price: ({ payload }) => go.promise.then(() => payload) });
    const id = await start(caller, 'price', { payloadJson: '7' });
    await caller.stop();
    const later = await ground.start();
    expect(await failureOf(result(later, 'price', id, 0))).toMatchObject({ code: 'CALL_TIMEOUT', retryable: true });
    go.open();
    expect(await result(later, 'price', id)).toBe('7');
    // It is there for whoever asks again, and for a time alone.
    expect(await result(later, 'price', id, 0)).toBe('7');
    expect(await ground.command('PTTL', keyOf(id))).toBeGreaterThan(30_000);
    await later.rpc.forget(id);
    expect(await failureOf(result(later, 'price', id))).toMatchObject({ code: 'UNKNOWN_CALL' });
  });

  it('end with the error of their method, and with nothing where it gives nothing', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { fail: () => Promise.reject(new Error('broken')), silent: async () => null });
    const id = await start(caller, 'fail');
    expect(await failureOf(result(caller, 'fail', id))).toMatchObject({ code: 'REMOTE_FAILED', remote: { message: 'broken' } });
    expect(await failureOf(result(caller, 'fail', id))).toMatchObject({ code: 'REMOTE_FAILED' });
    expect(await result(caller, 'silent', await start(caller, 'silent'))).toBeNull();
    expect(await failureOf(result(caller, 'unknown', await start(caller, 'unknown')))).toMatchObject({ code: 'UNKNOWN_METHOD' });
  });

  it('may be waited for again when a wait was cancelled', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const go = gate();
    await serve(server, { price: () => go.promise.then(() => '1') });
    const id = await start(caller, 'price');
    const abort = new AbortController();
    const waiting = failureOf(result(caller, 'price', id, 60_000, abort.signal));
    abort.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ code: 'CALL_CANCELLED', cause: { message: 'enough' } });
    go.open();
    expect(await result(caller, 'price', id)).toBe('1');
  });

  it('are waited for no longer when the process stops that waits', async () => {
    const [server, caller, other] = [await ground.start(), await ground.start(), await ground.start()];
    const go = gate();
    await serve(server, { price: () => go.promise.then(() => '1') });
    const id = await start(caller, 'price');
    const waiting = failureOf(result(caller, 'price', id, 3_600_000));
    await caller.stop();
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(start(caller, 'price'))).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(result(caller, 'price', id))).toMatchObject({ code: 'CLOSED' });
    go.open();
    expect(await result(other, 'price', id)).toBe('1');
  });

  it('are over for good when their time is over', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    await serve(server, { hang: () => (begun.open(), new Promise<null>(() => undefined)) });
    const id = await start(caller, 'hang', { timeoutMs: 500 });
    await begun.promise;
    expect(await failureOf(result(caller, 'hang', id, 30_000))).toMatchObject({ code: 'CALL_TIMEOUT', retryable: false, mayHaveRun: true });
  });

  it('with one id are executed once, and have one answer', async () => {
    const [server, caller] = [await ground.start({ ledgerOf: undefined }), await ground.start()];
    const [executed, go] = [[] as string[], gate()];
    const price = ({ id }: { id: string }): Promise<string> => go.promise.then(() => `${executed.push(id)}`);
    await serve(server, { price });
    expect(await start(caller, 'price', { id: 'order-7' })).toBe('order-7');
    await start(caller, 'price', { id: 'order-7' });
    go.open();
    expect(await result(caller, 'price', 'order-7')).toBe('1');
    await waitFor(() => server.rpc.serverCounters.answered === 2, { what: 'the repeated request to be answered' });
    expect(await result(caller, 'price', 'order-7')).toBe('1');
    expect(executed).toEqual(['order-7']);
  });

  it('are not executed again when their result is there', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const executed: string[] = [];
    await serve(server, { price: async ({ id }) => `${executed.push(id)}` });
    await start(caller, 'price', { id: 'order-1' });
    expect(await result(caller, 'price', 'order-1')).toBe('1');
    expect(await start(caller, 'price', { id: 'order-1' })).toBe('order-1');
    expect(caller.rpc.callerCounters.sent).toBe(1);
  });

  it('that are started again after a failure end as the new try does', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const go = gate();
    let tries = 0;
    await serve(server, { price: () => ((tries += 1) === 1 ? Promise.reject(new Error('broken')) : go.promise.then(() => '7')) });
    await start(caller, 'price', { id: 'order-2' });
    expect(await failureOf(result(caller, 'price', 'order-2'))).toMatchObject({ code: 'REMOTE_FAILED' });
    await start(caller, 'price', { id: 'order-2' });
    expect(await failureOf(result(caller, 'price', 'order-2', 0))).toMatchObject({ code: 'CALL_TIMEOUT', retryable: true });
    go.open();
    expect(await result(caller, 'price', 'order-2')).toBe('7');
  });

  it('that are started again when their time is over have their time anew', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const [begun, go] = [gate(), gate()];
    await serve(server, { price: () => (begun.open(), go.promise.then(() => '7')) });
    // As it is long after a start, when the inbox is about to vanish.
    await ground.command('XADD', keyOf('order-3'), '1-1', 'call', JSON.stringify([SERVICE.service, SERVICE.version, 'price', 1_000]));
    await ground.command('PEXPIRE', keyOf('order-3'), 60_000);
    expect(await failureOf(result(caller, 'price', 'order-3', 30_000))).toMatchObject({ code: 'CALL_TIMEOUT', retryable: false });
    await start(caller, 'price', { id: 'order-3', timeoutMs: 3_600_000 });
    await begun.promise;
    expect(await failureOf(result(caller, 'price', 'order-3', 0))).toMatchObject({ code: 'CALL_TIMEOUT', retryable: true });
    expect(await ground.command('PTTL', keyOf('order-3'))).toBeGreaterThan(3_600_000);
    go.open();
    expect(await result(caller, 'price', 'order-3')).toBe('7');
  });

  it('may take a part of a millisecond', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { price: async () => '1' });
    expect(await result(caller, 'price', await start(caller, 'price', { timeoutMs: 20_000.5 }))).toBe('1');
  });

  it('are not sent again when their method is not idempotent', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const executed: string[] = [];
    await serve(server, { note: async ({ id }) => `${executed.push(id)}` }, { idempotent: false });
    await start(caller, 'note', { id: 'once', idempotent: false });
    await start(caller, 'note', { id: 'once', idempotent: false });
    expect(await result(caller, 'note', 'once')).toBe('1');
    expect([executed.length, caller.rpc.callerCounters.sent]).toEqual([1, 1]);
  });

  it('belong to one method, and to an id that can stand in a key', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { price: async () => '1', other: async () => '2' });
    const id = await start(caller, 'price');
    expect(await failureOf(result(caller, 'other', id))).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('"price"') });
    expect(await failureOf(start(caller, 'other', { id }))).toMatchObject({ code: 'INVALID_INPUT' });
    for (const bad of ['', 'a:b', '{x}', 7 as never, '.x']) {
      expect(await failureOf(start(caller, 'price', { id: bad }))).toMatchObject({ code: 'INVALID_NAME' });
      expect(await failureOf(result(caller, 'price', bad))).toMatchObject({ code: 'INVALID_NAME' });
      expect(await failureOf(caller.rpc.forget(bad))).toMatchObject({ code: 'INVALID_NAME' });
    }
  });

  it('leave nothing in Redis when they cannot be sent', async () => {
    const caller = await ground.start();
    expect(await failureOf(start(caller, 'price', { id: 'nobody' }))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(await failureOf(start(caller, 'price', { id: 'nobody', timeoutMs: 0 }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    expect(await failureOf(start(caller, 'price', { id: 'nobody', timeoutMs: 1e12 }))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await ground.command('EXISTS', keyOf('nobody'))).toBe(0);
  });

  it('stay when one of those that start them at once cannot send its request', async () => {
    const [server, one, other] = [await ground.start(), await ground.start(), await ground.start()];
    const [opened, go] = [gate(), gate()];
    const connection = one.redis.publishFor('');
    const run = connection.run.bind(connection);
    connection.run = async (script, ...args) => {
      const reply = await run(script, ...args);
      if (script.name === 'open-handle.lua') {
        opened.open();
        await go.promise;
      }
      return reply;
    };
    const tooLarge = JSON.stringify('x'.repeat(2_000_000));
    const refused = failureOf(start(one, 'price', { id: 'order-5', payloadJson: tooLarge }));
    await opened.promise;
    await serve(server, { price: async () => '1' });
    await start(other, 'price', { id: 'order-5' });
    go.open();
    expect(await refused).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await result(other, 'price', 'order-5')).toBe('1');
  });

  it('can be started again by whoever died before the request was sent', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { price: async () => '1' });
    await start(caller, 'price', { id: 'order-7' });
    await result(caller, 'price', 'order-7');
    // The inbox as it is made: its request was never sent.
    const [[, [field, text]]] = (await ground.command('XRANGE', keyOf('order-7'), '-', '+', 'COUNT', 1)) as [[string, [string, string]]];
    await ground.command('XADD', keyOf('order-8'), '*', field, text);
    expect(await failureOf(result(caller, 'price', 'order-8', 0))).toMatchObject({ code: 'CALL_TIMEOUT', retryable: true });
    await start(caller, 'price', { id: 'order-8' });
    expect(await result(caller, 'price', 'order-8')).toBe('1');
  });

  it('are not started again where they must not run twice, and nobody knows whether they were sent', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { note: async () => '1' }, { idempotent: false });
    await ground.command('XADD', keyOf('order-9'), '*', 'call', JSON.stringify([SERVICE.service, SERVICE.version, 'note', 60_000]));
    expect(await failureOf(start(caller, 'note', { id: 'order-9', idempotent: false }))).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(caller.rpc.callerCounters.sent).toBe(0);
  });

  it('outlive the instance that had begun them, where they are idempotent', async () => {
    const [caller, child] = [await ground.start(), await startChild()];
    const [again, once] = [await start(caller, 'again'), await start(caller, 'once', { idempotent: false })];
    await child.hasBegun(2);
    await (await ground.start()).rpc.serve({ ...SERVICE, concurrency: 2, methods: methodsWith(async () => '"other"') });
    await child.kill();
    expect(await result(caller, 'again', again)).toBe('"other"');
    expect(await failureOf(result(caller, 'once', once))).toMatchObject({ code: 'CALL_INDEFINITE' });
  });

  it.each([true, false])('are sent once, or twice where they are idempotent (%s), when Redis did not say whether it has them', async (idempotent) => {
    const server = await ground.start({ ledgerOf: undefined });
    const { process: caller, proxy } = await ground.startBehindProxy();
    const executed: string[] = [];
    await serve(server, { note: async ({ id }) => `${executed.push(id)}` }, { idempotent });
    await result(caller, 'note', await start(caller, 'note', { idempotent }));
    const connection = caller.redis.publishFor('');
    const epoch = connection.connectionEpoch;
    let isLost = false;
    replaceSending(connection, ({ send }) => {
      if (!isLost) void proxy.dropReplies();
      isLost = true;
      return send();
    });
    const starting = start(caller, 'note', { id: 'lost', idempotent }).catch((error: unknown) => (error as { code: string }).code);
    await waitFor(() => connection.connectionEpoch > epoch, { what: 'the connection to be given up' });
    await proxy.pass();
    expect(await starting).toBe(idempotent ? 'lost' : 'CALL_INDEFINITE');
    // The id says how it ended, also when it was not known whether it was sent.
    expect(await result(caller, 'note', 'lost')).toBe('2');
    expect(executed).toHaveLength(2);
  });

  it('are read as they are meant when others have written to their inbox', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { price: async () => '1' });
    const id = await start(caller, 'price');
    await result(caller, 'price', id);
    for (const [forged, text] of [['other', 'x'], ['field', '[1]'], ['text', '["a","b","c",-1]'], ['list', '{}']] as const) {
      await ground.command('XADD', keyOf(forged), '*', 'call', text);
      expect(await failureOf(result(caller, 'price', forged))).toMatchObject({ code: 'UNKNOWN_CALL' });
      expect(await failureOf(start(caller, 'price', { id: forged }))).toMatchObject({ code: 'INVALID_INPUT' });
    }
    const named = JSON.stringify([SERVICE.service, SERVICE.version, 'price', 60_000]);
    await ground.command('XADD', keyOf('noise'), '*', 'call', named);
    await ground.command('XADD', keyOf('noise'), '*', 'r2', '"wrong"', 'x', 'y', 'r1', '"right"');
    expect(await result(caller, 'price', 'noise')).toBe('"right"');
    await ground.command('SET', keyOf('kind'), 'a text');
    expect(await failureOf(result(caller, 'price', 'kind'))).toMatchObject({ code: 'REDIS_FAILED' });
  });

  it('are answered where requests and inboxes are on different nodes', async () => {
    const keys = [requestsKey(ground.prefix, SERVICE), `${ground.prefix}:{presence}:x`];
    const open = (): Promise<SlottedTopology> => SlottedTopology.open(ground.server.url, keys);
    const [server, caller] = [await ground.start({ redis: await open() }), await ground.start({ redis: await open() })];
    await serve(server, { price: async ({ payload }) => payload });
    expect(await result(caller, 'price', await start(caller, 'price', { payloadJson: '9' }))).toBe('9');
  });
});
