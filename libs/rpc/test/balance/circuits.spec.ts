import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventMap, listen } from '@millrace/core';
import { RpcCircuitOpenError } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { failureOf, gate, RpcGround } from '../rpc-ground.js';
import { client, countsOf, ghosts, sees, serveAs } from './prices.js';

type CircuitEvent = EventMap['circuit'];

describe('the circuit of a service', () => {
  const ground = new RpcGround('circuits');
  const ghost = ghosts(ground);
  let events: CircuitEvent[] = [];
  let unlisten: () => void;
  beforeEach(() => {
    events = [];
    unlisten = listen('circuit', (event) => events.push(event));
  });
  afterEach(() => unlisten());
  const states = () => events.map(({ state }) => state);

  const quick = { calls: 4, minimumCalls: 2, openFor: '1ms' } as const;
  const long = { calls: 4, minimumCalls: 2, openFor: '1h' } as const;

  it('opens when too many calls failed, says when it tries again, and sends nothing', async () => {
    const caller = await ground.start();
    const { prices, balancer } = client(caller, { circuit: long });
    const before = Date.now();
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(prices.again({}))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(events).toEqual([{ service: 'prices', version: '1', state: 'open', retryAtMs: expect.any(Number) }]);
    const failure = await failureOf(prices.again({}));
    expect(failure).toBeInstanceOf(RpcCircuitOpenError);
    expect(failure).toMatchObject({ code: 'CIRCUIT_OPEN', retryable: true, message: expect.stringContaining('It is tried again in') });
    const { retryAtMs } = failure as RpcCircuitOpenError;
    expect(retryAtMs).toBeGreaterThanOrEqual(before + 3_600_000);
    expect(retryAtMs).toBeLessThanOrEqual(Date.now() + 3_600_000);
    expect(balancer.circuits()).toEqual([{ service: 'prices', version: '1', instance: null, state: 'open', retryAtMs }]);
    await serveAs(await ground.start(), 'a');
    expect(await failureOf(prices.again({}))).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(caller.rpc.callerCounters.sent).toBe(0);
  });

  it('is not opened again by calls that began before it opened', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    let [requests, works] = [0, false];
    const handle = async (): Promise<string> => {
      requests += 1;
      if (works) return '{"by":"a"}';
      if (requests <= 8) await held.promise;
      throw new Error('no price');
    };
    await serveAs(server, 'a', { handle });
    const { prices, balancer } = client(caller, { circuit: { ...quick, remoteErrors: true } });
    const early = Array.from({ length: 8 }, () => failureOf(prices.once({})));
    await waitFor(() => requests === 8, { what: 'the early calls to be begun' });
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(prices.once({}))).toMatchObject({ code: 'REMOTE_FAILED' });
    expect(balancer.circuits()).toMatchObject([{ state: 'open' }]);
    works = true;
    await waitFor(() => prices.once({}).then(() => true, () => false), { what: 'the circuit to close' });
    held.open();
    for (const failure of await Promise.all(early)) expect(failure).toMatchObject({ code: 'REMOTE_FAILED' });
    expect(balancer.circuits()).toMatchObject([{ state: 'closed' }]);
    expect(states()).toEqual(['open', 'half-open', 'closed']);
  });

  it('lets one call through when its time is over, refuses others meanwhile, and closes when that succeeds', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { prices, balancer } = client(caller, { circuit: quick });
    for (let turn = 0; turn < 2; turn += 1) await failureOf(prices.again({}));
    const held = gate();
    const begun = gate();
    await serveAs(server, 'a', { handle: () => (begun.open(), held.promise.then(() => '{"by":"a"}')) });
    const trial = (async () => {
      for (;;) {
        const outcome: unknown = await prices.again({}).catch((error: unknown) => error);
        if ((outcome as { code?: string }).code !== 'CIRCUIT_OPEN') return outcome;
      }
    })();
    await begun.promise;
    expect(states().at(-1)).toBe('half-open');
    expect(await failureOf(prices.again({}))).toMatchObject({ code: 'CIRCUIT_OPEN', message: expect.stringContaining('One call is tried now') });
    held.open();
    expect(await trial).toEqual({ by: 'a' });
    expect(states().slice(-2)).toEqual(['half-open', 'closed']);
    expect(balancer.circuits()).toEqual([{ service: 'prices', version: '1', instance: null, state: 'closed', retryAtMs: null }]);
    expect(countsOf(await Promise.all([prices.again({}), prices.again({})]))).toEqual({ a: 2 });
  });

  it('opens again when the call that is tried fails, and when it tells nothing', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { prices } = client(caller, { circuit: quick });
    for (let turn = 0; turn < 2; turn += 1) await failureOf(prices.again({}));
    await waitFor(async () => ((await failureOf(prices.again({}))) as { code: string }).code === 'NO_INSTANCE', { what: 'a trial that fails' });
    expect(states()).toEqual(['open', 'half-open', 'open']);
    const begun = gate();
    await serveAs(server, 'a', { handle: () => (begun.open(), new Promise(() => undefined)) });
    const abort = new AbortController();
    void begun.promise.then(() => abort.abort());
    const cancelled = async () => ((await failureOf(prices.again({}, { signal: abort.signal }))) as { code: string }).code === 'CALL_CANCELLED';
    await waitFor(cancelled, { what: 'a trial that its caller gives up' });
    expect(states().slice(-2)).toEqual(['half-open', 'open']);
    await server.stop(0);
  });

  it('stays closed for errors of methods, and for calls that their callers give up, unless it is told', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveAs(server, 'a', { handle: () => Promise.reject(new Error('no price')) });
    const { prices, balancer } = client(caller, { circuit: long });
    for (let turn = 0; turn < 6; turn += 1) expect(await failureOf(prices.again({}))).toMatchObject({ code: 'REMOTE_FAILED' });
    for (let turn = 0; turn < 6; turn += 1) {
      expect(await failureOf(prices.again({}, { signal: AbortSignal.abort() }))).toMatchObject({ code: 'CALL_CANCELLED' });
    }
    expect(balancer.circuits()).toMatchObject([{ state: 'closed' }]);
    const told = client(caller, { circuit: { ...long, remoteErrors: true } });
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(told.prices.again({}))).toMatchObject({ code: 'REMOTE_FAILED' });
    expect(await failureOf(told.prices.again({}))).toMatchObject({ code: 'CIRCUIT_OPEN' });
  });

  it('opens for calls that were not answered in time', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    await serveAs(server, 'a', { handle: () => held.promise.then(() => '{"by":"a"}') });
    const { prices } = client(caller, { circuit: long });
    const codes: (string | undefined)[] = [];
    await waitFor(async () => {
      codes.push((await failureOf(prices.once({}, { timeout: '50ms' }))).code);
      return codes.at(-1) === 'CIRCUIT_OPEN';
    }, { what: 'the circuit to open' });
    expect(codes.slice(0, 2)).toEqual(['CALL_TIMEOUT', 'CALL_TIMEOUT']);
    held.open();
  });

  it('is one for each instance that is chosen, and a strategy passes over those that are open', async () => {
    const caller = await ground.start();
    const [a, b] = [await ghost(), await serveAs(await ground.start(), 'b')];
    await sees(caller, [a, b]);
    const circuit = { ...long, calls: 10 };
    const { prices, balancer } = client(caller, { balance: 'round-robin', circuit });
    const failures: unknown[] = [];
    for (let turn = 0; turn < 4; turn += 1) await prices.again({}).catch((error: unknown) => failures.push(error));
    expect(failures).toEqual([expect.objectContaining({ code: 'NO_INSTANCE' }), expect.objectContaining({ code: 'NO_INSTANCE' })]);
    expect(events).toEqual([expect.objectContaining({ instance: a.member, state: 'open' })]);
    expect(countsOf(await Promise.all(Array.from({ length: 20 }, () => prices.again({}))))).toEqual({ b: 20 });
    // One instance that fails opens no circuit of the service.
    const states = new Map(balancer.circuits().map(({ instance, state }) => [instance, state]));
    expect(states).toEqual(new Map([[a.member, 'open'], [b.member, 'closed']]));
  });

  it('is open for a call when it is so for all instances that it could go to', async () => {
    const caller = await ground.start();
    const { prices, balancer } = client(caller, { balance: 'random', circuit: { ...long, calls: 20, minimumCalls: 2, failureRate: 60 } });
    const serving = await serveAs(await ground.start(), 'a');
    await sees(caller, [serving]);
    for (let turn = 0; turn < 4; turn += 1) await prices.again({});
    await serving.stop(1_000);
    await sees(caller, [await ghost()]);
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(prices.again({}))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(balancer.circuits().map(({ instance, state }) => [instance !== null, state])).toEqual([[true, 'open']]);
    const failure = await failureOf(prices.again({}));
    expect(failure).toMatchObject({ code: 'CIRCUIT_OPEN', message: expect.stringContaining('It is tried again in') });
    expect((failure as RpcCircuitOpenError).retryAtMs).toBe(balancer.circuits()[0]!.retryAtMs);
  });

  it('is open for a call when it is so for all instances of all routes', async () => {
    const caller = await ground.start();
    const circuit = { ...long, calls: 20, minimumCalls: 2, failureRate: 60 };
    const { prices } = client(caller, { routes: [{ tag: 'canary' }, { tag: 'blue' }], circuit });
    const serving = await serveAs(await ground.start(), 'a');
    await sees(caller, [serving]);
    for (let turn = 0; turn < 8; turn += 1) await prices.again({});
    await serving.stop(1_000);
    await sees(caller, [await ghost(['canary']), await ghost(['blue'])]);
    for (let turn = 0; turn < 4; turn += 1) expect(await failureOf(prices.again({}))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(await failureOf(prices.again({}))).toMatchObject({ code: 'CIRCUIT_OPEN' });
  });
});
