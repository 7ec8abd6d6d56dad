import { describe, expect, it } from '@jest/globals';
import { type EventMap, listen } from '@millrace/core';
import type { MethodFigures } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { CallMonitor } from '../src/monitor/call-monitor.js';
import { LATENCY_BOUNDS_MS, LatencyCounts } from '../src/monitor/latency.js';
import { call, failureOf, gate, RpcGround, serve, SERVICE, untilAborted } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';
import { serveStreams, streamOf } from './stream-ground.js';

function sum({ latency }: MethodFigures): number {
  return latency.counts.reduce((total, count) => total + count, 0);
}

describe('figures of methods', () => {
  const ground = new RpcGround('monitor');

  const figuresOf = ({ rpc }: RpcProcess, method: string): MethodFigures => {
    const found = rpc.figures().filter((figures) => figures.method === method);
    expect(found).toHaveLength(1);
    return found[0]!;
  };

  it('count calls on both sides, by method, with their errors and their callers', async () => {
    const [server, caller, other] = [await ground.start(), await ground.start(), await ground.start()];
    await serve(server, {
      price: async () => '1',
      fail: () => Promise.reject(new Error('broken')),
    });
    for (let count = 0; count < 3; count += 1) await call(caller, 'price');
    await call(other, 'price');
    await failureOf(call(caller, 'fail'));
    await failureOf(call(caller, 'unknown'));
    const subject = { ...SERVICE, side: 'caller', inFlight: 0, callers: {} };
    expect(figuresOf(caller, 'price')).toMatchObject({ ...subject, method: 'price', calls: 3, failed: {} });
    expect(figuresOf(caller, 'fail')).toMatchObject({ ...subject, method: 'fail', calls: 1, failed: { REMOTE_FAILED: 1 } });
    expect(figuresOf(caller, 'unknown')).toMatchObject({ calls: 1, failed: { UNKNOWN_METHOD: 1 } });
    const served = figuresOf(server, 'price');
    expect(served).toMatchObject({ ...SERVICE, side: 'server', calls: 4, inFlight: 0, failed: {} });
    expect(Object.values(served.callers).sort()).toEqual([1, 3]);
    expect(figuresOf(server, 'fail')).toMatchObject({ calls: 1, failed: { REMOTE_FAILED: 1 } });
    // Names that callers make up are not kept by those who serve.
    expect(server.rpc.figures().map(({ method }) => method).sort()).toEqual(['fail', 'price']);
    expect([sum(served), sum(figuresOf(caller, 'price'))]).toEqual([4, 3]);
  });

  it('tell what is in flight, and how calls ended that nobody answered', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const [begun, aborted] = [gate(), gate()];
    await serve(server, { hang: untilAborted(begun.open, aborted.open) });
    const abort = new AbortController();
    const hanging = failureOf(call(caller, 'hang', { signal: abort.signal }));
    await begun.promise;
    expect(figuresOf(caller, 'hang')).toMatchObject({ calls: 1, inFlight: 1 });
    expect(figuresOf(server, 'hang')).toMatchObject({ calls: 1, inFlight: 1 });
    expect(sum(figuresOf(server, 'hang'))).toBe(0);
    abort.abort();
    await hanging;
    expect(figuresOf(caller, 'hang')).toMatchObject({ inFlight: 0, failed: { CALL_CANCELLED: 1 } });
    await waitFor(() => figuresOf(server, 'hang').inFlight === 0, { what: 'the method to end' });
  });

  it('count calls whose results are fetched later as those of one caller', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, { price: async () => '1' });
    for (const id of ['a', 'b', 'c']) await caller.rpc.start({ ...SERVICE, method: 'price', payloadJson: '1', timeoutMs: 10_000, idempotent: true }, id);
    await waitFor(() => sum(figuresOf(server, 'price')) === 3, { what: 'them to be executed' });
    expect(figuresOf(server, 'price').callers).toEqual({ later: 3 });
  });

  it('count a stream that its consumer has left as no failure on either side', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    async function* endless(): AsyncGenerator<string> {
      for (;;) yield '1';
    }
    await serveStreams(server, { count: endless });
    const items = streamOf(caller, 'count');
    await items.next();
    await items.return?.();
    await waitFor(() => figuresOf(server, 'count').inFlight === 0, { what: 'the method to end' });
    expect([figuresOf(server, 'count'), figuresOf(caller, 'count')]).toMatchObject([{ calls: 1, failed: {} }, { calls: 1, failed: {} }]);
  });

  it('tell of methods that outlive their process', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    await serve(server, { hang: untilAborted(begun.open, () => undefined) }, { idempotent: false });
    const hanging = failureOf(call(caller, 'hang', { timeoutMs: 1_000, idempotent: false }));
    await begun.promise;
    await server.stop(0);
    expect(figuresOf(server, 'hang')).toMatchObject({ calls: 1, inFlight: 0, failed: { CLOSED: 1 } });
    await hanging;
  });
});

describe('a method that does not heed its signal', () => {
  const ground = new RpcGround('overdue');

  it('is reported once, and counts as overdue until it ends', async () => {
    const [server, caller] = [await ground.start({ overdueMs: 50 }), await ground.start()];
    const [go, events] = [gate(), [] as EventMap['call-overdue'][]];
    const stop = listen('call-overdue', (event) => events.push(event));
    const serving = await serve(server, { deaf: () => go.promise.then(() => null), quick: async () => null }, { concurrency: 3 });
    expect(await failureOf(call(caller, 'deaf', { timeoutMs: 2_000, requestId: 'a' }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    await waitFor(() => events.length > 0, { what: 'it to be reported' });
    expect(events).toEqual([{ ...SERVICE, method: 'deaf', caller: expect.any(String), requestId: 'a', overdueMs: expect.any(Number) }]);
    expect(serving.state()).toEqual({ running: 1, overdue: 1 });
    await call(caller, 'quick');
    // A look that reports another one has looked at the first again.
    expect(await failureOf(call(caller, 'deaf', { timeoutMs: 2_000, requestId: 'b' }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    await waitFor(() => events.length > 1, { what: 'the other to be reported' });
    expect(events.map(({ requestId }) => requestId)).toEqual(['a', 'b']);
    go.open();
    await waitFor(() => serving.state().running === 0, { what: 'it to end' });
    expect(serving.state().overdue).toBe(0);
    stop();
  });
});

describe('the classes of durations', () => {
  it('hold a bound and all below it, and the last one what is beyond', () => {
    const counts = new LatencyCounts();
    for (const ms of [0, 0.5, 0.6, 10, 60_000, 60_001]) counts.add(ms);
    const { boundsMs, counts: found, sumMs } = counts.read();
    expect(sumMs).toBeCloseTo(120_012.1);
    expect(found).toHaveLength(boundsMs.length + 1);
    expect([found[0], found[1], found[boundsMs.indexOf(10)], found.at(-2), found.at(-1)]).toEqual([2, 1, 1, 1, 1]);
    expect([...LATENCY_BOUNDS_MS].sort((a, b) => a - b)).toEqual(LATENCY_BOUNDS_MS);
  });
});

describe('a monitor', () => {
  it('keeps no more methods apart than a bound, whatever their names are', () => {
    const monitor = new CallMonitor('caller');
    for (let number = 0; number < 2_000; number += 1) monitor.of({ ...SERVICE, method: `made-up-${number}` }).begun('');
    const figures = monitor.read();
    expect(figures.length).toBeLessThan(1_100);
    expect(figures.reduce((total, { calls }) => total + calls, 0)).toBe(2_000);
    expect(figures.at(-1)).toMatchObject({ service: 'other', method: 'other' });
  });

  it('counts no more callers of a method apart than a bound', () => {
    const counts = new CallMonitor('server').of({ ...SERVICE, method: 'price' });
    for (let number = 0; number < 1_000; number += 1) counts.begun(`process-${number % 500}`);
    const { callers } = counts.read();
    expect(Object.keys(callers).length).toBeLessThan(300);
    expect(Object.values(callers).reduce((total, count) => total + count)).toBe(1_000);
    // The latest are those that live.
    expect(callers).toMatchObject({ 'process-499': 1, others: 744 });
  });
});
