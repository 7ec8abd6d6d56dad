import { afterEach, describe, expect, it } from '@jest/globals';
import { type EventMap, listen, MillraceError } from '@millrace/core';
import {
  RpcCancelledError, RpcCircuitOpenError, RpcIndefiniteError, RpcNoInstanceError, RpcRemoteError, type RpcRequest,
  RpcTimeoutError,
} from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { failingOver } from '../../src/balance/failing.js';
import { Outbound } from '../../src/balance/outbound.js';
import { InstanceChild } from '../instance-child.js';
import { methodsWith } from '../methods.js';
import { failureOf, gate, type Handle, LEASE_MS, RpcGround, SERVICE } from '../rpc-ground.js';
import { client, countsOf, sees, serveAs } from './prices.js';

describe('a call that fails', () => {
  const ground = new RpcGround('failures');
  const children: InstanceChild[] = [];
  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  /** Remembers its requests; those beyond the first `stuck` are answered. */
  function recording(stuck: number): { handle: Handle; ids: string[]; open: () => void } {
    const { promise, open } = gate();
    const ids: string[] = [];
    const handle = async ({ id }: RpcRequest): Promise<string> => {
      ids.push(id);
      if (ids.length <= stuck) await promise;
      return '{"by":"a"}';
    };
    return { handle, ids, open };
  }

  it('is made once by default', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { handle, open } = recording(1);
    await serveAs(server, 'a', { handle });
    expect(await failureOf(client(caller, {}).prices.again({}, { timeout: '100ms' }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    expect(caller.rpc.callerCounters.timedOut).toBe(1);
    open();
  });

  it('is made again with the same request id when its method is idempotent, at another instance, within one deadline', async () => {
    const [caller, one, other] = [await ground.start(), await ground.start(), await ground.start()];
    const seen: { by: string; id: string; remainingMs: number }[] = [];
    const held = gate();
    const handleOf = (by: string): Handle => async (request) => {
      seen.push({ by, id: request.id, remainingMs: request.remainingMs() });
      if (seen.length === 1) await held.promise;
      return JSON.stringify({ by });
    };
    await sees(caller, [await serveAs(one, 'a', { handle: handleOf('a') }), await serveAs(other, 'b', { handle: handleOf('b') })]);
    const { prices } = client(caller, { balance: 'least-active', failure: 'fail-over', retries: 10, attemptTimeout: '500ms' });
    await prices.again({}, { timeout: '30s' });
    const [first, second] = seen;
    expect(second!.by).not.toBe(first!.by);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(1);
    for (const { remainingMs } of seen) expect(remainingMs).toBeLessThanOrEqual(500);
    held.open();
  });

  it('keeps the request id that its caller gave, and gives up after its retries', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { handle, ids, open } = recording(Number.POSITIVE_INFINITY);
    await serveAs(server, 'a', { handle });
    const { prices } = client(caller, { failure: 'fail-over', retries: 2, attemptTimeout: '200ms' });
    expect(await failureOf(prices.again({}, { requestId: 'order-7' }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    expect(caller.rpc.callerCounters.timedOut).toBe(3);
    for (const id of ids) expect(id).toBe('order-7');
    open();
  });

  it('is executed once though it was sent twice: the ledger has the answer of the first', async () => {
    const [caller, server] = [await ground.start(), await ground.start({ ledgerOf: undefined })];
    const { handle, ids, open } = recording(1);
    await serveAs(server, 'a', { handle });
    const { prices } = client(caller, { failure: 'fail-over', retries: 10, attemptTimeout: '500ms' });
    const calling = prices.again({}, { timeout: '60s' });
    await waitFor(() => caller.rpc.callerCounters.sent >= 2, { what: 'the second attempt' });
    open();
    expect(await calling).toEqual({ by: 'a' });
    expect(ids).toHaveLength(1);
  });

  it('is executed once when its instance dies: another one takes it, with fail-over', async () => {
    const [caller, server] = [await ground.start(), await ground.start()];
    const plan = { target: ground.target, prefix: ground.prefix, leaseMs: LEASE_MS, concurrency: 4, workMs: 60_000 };
    const child = new InstanceChild(plan);
    children.push(child);
    await child.serving();
    await sees(caller, [child]);
    const { prices } = client(caller, { balance: 'random', failure: 'fail-over' });
    const calling = prices.again({});
    const once = failureOf(prices.once({}));
    await child.hasBegun(2);
    const { handle, ids } = recording(0);
    await server.rpc.serve({ ...SERVICE, concurrency: 16, methods: methodsWith(handle) });
    await child.kill();
    expect(await calling).toEqual({ by: 'a' });
    expect(await once).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(ids).toHaveLength(1);
  });

  it('is not made again when the method failed by itself', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let failed = 0;
    await serveAs(server, 'a', { handle: () => ((failed += 1), Promise.reject(new Error('no price'))) });
    const { prices } = client(caller, { failure: 'fail-over' });
    expect(await failureOf(prices.again({}))).toMatchObject({ code: 'REMOTE_FAILED' });
    expect(failed).toBe(1);
  });

  it.each([
    ['NO_INSTANCE', new RpcNoInstanceError('gone'), true],
    ['BACK_PRESSURE', new MillraceError('BACK_PRESSURE', 'full', { retryable: true }), true],
    ['CIRCUIT_OPEN', new RpcCircuitOpenError('open', 0), true],
    ['CALL_TIMEOUT, not sent', new RpcTimeoutError('late', { retryable: false, mayHaveRun: false }), true],
    ['CALL_TIMEOUT, sent', new RpcTimeoutError('late', { retryable: true, mayHaveRun: true }), false],
    ['CALL_INDEFINITE', new RpcIndefiniteError('gone'), false],
    ['REDIS_UNREACHABLE', new MillraceError('REDIS_UNREACHABLE', 'away', { retryable: true }), false],
    ['CALL_CANCELLED', new RpcCancelledError('enough'), null],
    ['REMOTE_FAILED', new RpcRemoteError('no price', { name: 'Error', message: '' }), null],
    ['CLOSED', new MillraceError('CLOSED', 'closed'), null],
  ])('with %s is made again only where that is safe', async (_, error, always) => {
    for (const idempotent of [true, false]) {
      let attempts = 0;
      const next = () => ((attempts += 1), Promise.reject(error));
      const send = failingOver({ mode: 'fail-over', retries: 1, attemptTimeoutMs: null })(next);
      const call = { ...SERVICE, method: 'm', payloadJson: '1', timeoutMs: 60_000, idempotent };
      expect(await failureOf(send(new Outbound(call)))).toBe(error);
      expect(attempts).toBe(always === true || (always === false && idempotent) ? 2 : 1);
    }
  });

  it('has one deadline for all of its attempts', async () => {
    const left: number[] = [];
    const next = async (outbound: Outbound): Promise<null> => {
      const { timeoutMs } = outbound.call;
      left.push(timeoutMs);
      await waitFor(() => outbound.remainingMs < timeoutMs - 1, { what: 'time to pass' });
      throw new RpcNoInstanceError('gone');
    };
    const send = failingOver({ mode: 'fail-over', retries: 2, attemptTimeoutMs: null })(next);
    await failureOf(send(new Outbound({ ...SERVICE, method: 'm', payloadJson: '1', timeoutMs: 60_000, idempotent: false })));
    expect(left).toHaveLength(3);
    expect(left[1]).toBeLessThan(left[0]!);
    expect(left[2]).toBeLessThan(left[1]!);
  });

  it('is made again when it was not sent, also of a method that is not idempotent', async () => {
    const caller = await ground.start();
    const { prices } = client(caller, { failure: 'fail-over', retries: 10 });
    const calling = prices.once({});
    await serveAs(await ground.start(), 'a');
    expect(await calling).toEqual({ by: 'a' });
  });

  it('ends by its signal between two attempts', async () => {
    const caller = await ground.start();
    const abort = new AbortController();
    const { prices } = client(caller, { failure: 'fail-over', retries: 10 });
    const calling = failureOf(prices.once({}, { signal: abort.signal }));
    setImmediate(() => abort.abort());
    expect(await calling).toMatchObject({ code: 'CALL_CANCELLED' });
  });

  it('resolves when it is to be safe, and an event has its error', async () => {
    const caller = await ground.start();
    const given: EventMap['call-given-up'][] = [];
    const unlisten = listen('call-given-up', (event) => given.push(event));
    const { prices } = client(caller, { methods: { note: { failure: 'fail-safe' }, tell: { failure: 'fail-safe' } } });
    expect(await Promise.all([prices.note({}), prices.tell({})])).toEqual([undefined, undefined]);
    expect(await failureOf(prices.again({}))).toMatchObject({ code: 'NO_INSTANCE' });
    unlisten();
    const error = expect.objectContaining({ code: 'NO_INSTANCE' });
    expect(given).toEqual([{ ...SERVICE, method: 'note', error }, { ...SERVICE, method: 'tell', error }]);
    await serveAs(await ground.start(), 'a');
    expect(countsOf([await prices.again({})])).toEqual({ a: 1 });
  });

  it('that may have run is not made again in another version, whose ledger does not know it', async () => {
    const [caller, canary, plain] = [await ground.start(), await ground.start(), await ground.start()];
    const [stuck, other] = [recording(Number.POSITIVE_INFINITY), recording(0)];
    const servings = [
      await serveAs(canary, 'canary', { version: '2', tags: ['canary'], handle: stuck.handle }),
      await serveAs(plain, 'plain', { handle: other.handle }),
    ];
    await sees(caller, servings);
    const routes = [{ tag: 'canary', version: '2', share: 1_000 }, { share: 1 }];
    const { prices } = client(caller, { routes, failure: 'fail-over', attemptTimeout: '300ms' });
    expect(await failureOf(prices.again({}))).toMatchObject({ code: 'CALL_TIMEOUT', mayHaveRun: true });
    expect([stuck.ids, other.ids]).toEqual([[expect.any(String)], []]);
    stuck.open();
  });

  it('has the error of the attempt that may have run, when later ones were not sent', async () => {
    const [caller, server] = [await ground.start(), await ground.start()];
    const { handle, ids, open } = recording(Number.POSITIVE_INFINITY);
    await sees(caller, [await serveAs(server, 'a', { tags: ['eu'], handle })]);
    const circuit = { calls: 1, minimumCalls: 1, openFor: '1h' } as const;
    for (const options of [{ tag: 'eu', strict: true }, { circuit }] as const) {
      const { prices } = client(caller, { ...options, failure: 'fail-over', attemptTimeout: '300ms' });
      expect(await failureOf(prices.again({}))).toMatchObject({ code: 'CALL_TIMEOUT', mayHaveRun: true });
    }
    expect(ids).toHaveLength(2);
    open();
  });

  it('waits until a circuit lets calls through again, though an instance was chosen before', async () => {
    const [caller, server] = [await ground.start(), await ground.start()];
    const { handle, open } = recording(1);
    await sees(caller, [await serveAs(server, 'a', { handle })]);
    const circuit = { calls: 1, minimumCalls: 1, openFor: '300ms' } as const;
    const { prices } = client(caller, { balance: 'random', circuit, failure: 'fail-over', retries: 2, attemptTimeout: '5s' });
    const unlisten = listen('circuit', ({ state }) => {
      if (state === 'open') open();
    });
    expect(await prices.again({})).toEqual({ by: 'a' });
    unlisten();
  });

  it('has all its time for its one attempt when its method is not idempotent', async () => {
    const [caller, server] = [await ground.start(), await ground.start()];
    const given: number[] = [];
    await serveAs(server, 'a', { handle: async (request) => (given.push(request.remainingMs()), '{"by":"a"}') });
    const { prices } = client(caller, { failure: 'fail-over', attemptTimeout: '5s' });
    await prices.once({});
    await prices.again({});
    expect(given[0]).toBeGreaterThan(5_000);
    expect(given[1]).toBeLessThanOrEqual(5_000);
  });
});
