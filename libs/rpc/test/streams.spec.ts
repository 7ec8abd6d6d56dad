import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import type { AnswerItems, RpcRequest } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, RpcGround, SERVICE } from './rpc-ground.js';
import { Counting, endOf, gathered, numbers, serveStreams, streamOf } from './stream-ground.js';

describe('a streamed answer', () => {
  const ground = new RpcGround('streams');

  it('brings 10,000 items in order', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { count: new Counting(10_000).stream });
    expect(await gathered(streamOf(caller, 'count'))).toEqual(numbers(10_000));
    await waitFor(() => server.rpc.serverCounters.answered === 1, { what: 'the end to be settled' });
    expect(server.rpc.serverCounters).toMatchObject({ items: 10_000 });
    expect(caller.rpc.callerCounters).toMatchObject({ items: 10_000, droppedItems: 0, answered: 1, malformed: 0 });
  });

  it('may be empty', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { none: new Counting(0).stream });
    expect(await gathered(streamOf(caller, 'none'))).toEqual([]);
  });

  it.each([1, 2, 7, 64])('has its method at most %d items ahead of a consumer that takes its time', async (window) => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const items = streamOf(caller, 'count', { window });
    for (let taken = 1; taken <= 40; taken += 1) {
      await items.next();
      expect(counting.made).toBeLessThanOrEqual(taken + window);
    }
    await waitFor(() => counting.made > 40, { what: 'the method to be ahead' });
    await items.return!();
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed' });
  });

  it('sends nothing before its first item is asked for', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const never = streamOf(caller, 'count');
    const left = streamOf(caller, 'count');
    expect(await left.return!()).toEqual({ done: true, value: undefined });
    expect(await left.next()).toEqual({ done: true, value: undefined });
    expect(caller.rpc.callerCounters).toMatchObject({ sent: 0, inFlight: 0 });
    expect(counting.made).toBe(0);
    expect(never).toBeDefined();
  });

  it.each(['break', 'throw'] as const)('ends its method when a loop over it is left by %s', async (how) => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let aborted = false;
    let closed = false;
    await serveStreams(server, {
      async *count({ signal }) {
        signal.addEventListener('abort', () => void (aborted = true));
        try {
          for (let value = 0; ; value += 1) yield `${value}`;
        } finally {
          closed = true;
        }
      },
    });
    const looping = async (): Promise<void> => {
      for await (const item of streamOf(caller, 'count')) {
        if (item !== '100') continue;
        if (how === 'break') break;
        throw new Error('enough');
      }
    };
    if (how === 'break') await looping();
    else expect(await failureOf(looping())).toMatchObject({ message: 'enough' });
    await waitFor(() => aborted && closed, { what: 'the method to be ended' });
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'the slot to be free' });
    expect(server.rpc.serverCounters).toMatchObject({ cancelled: 1 });
    expect(caller.rpc.callerCounters).toMatchObject({ cancelled: 1, inFlight: 0 });
  });

  it('ends a method that waits for something, by its signal', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    await serveStreams(server, {
      async *hang({ signal }) {
        yield '0';
        begun.open();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
    const items = streamOf(caller, 'hang');
    await items.next();
    await begun.promise;
    await items.return!();
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'the method to end' });
  });

  it('brings the items before the error of a method that throws', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, {
      async *some() {
        yield* numbers(50);
        throw Object.assign(new Error('no more'), { code: 'SOLD_OUT' });
      },
    });
    const some = streamOf(caller, 'some');
    expect(await some.next()).toEqual({ done: false, value: '0' });
    await waitFor(() => caller.rpc.callerCounters.failed === 1, { what: 'the error to be there' });
    const { items, error } = await endOf(some);
    expect(items).toEqual(numbers(50).slice(1));
    expect(error).toMatchObject({ code: 'REMOTE_FAILED', remote: { message: 'no more', code: 'SOLD_OUT' } });
    await waitFor(() => server.rpc.serverCounters.failed === 1, { what: 'the end to be settled' });
    expect(server.rpc.serverCounters).toMatchObject({ answered: 0 });
  });

  it('ends with an error of its items that comes while none of them is asked for', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    const control = new AbortController();
    const many = (request: RpcRequest): AnswerItems => Object.assign(counting.stream(request), { broken: control.signal });
    await serveStreams(server, { many });
    const items = streamOf(caller, 'many', { window: 4 });
    await items.next();
    await waitFor(() => caller.rpc.callerCounters.items === 4, { what: 'a window of items' });
    control.abort(new MillraceError('BACK_PRESSURE', 'too slow'));
    await waitFor(() => caller.rpc.callerCounters.failed === 1, { what: 'the end' });
    expect(await endOf(items)).toMatchObject({ items: ['1', '2', '3'], error: { code: 'BACK_PRESSURE', message: 'too slow' } });
    expect(counting.closed).toBe(1);
  });

  it('ends with an error when an item is too large, or no text', async () => {
    const server = await ground.start({ maxPayloadBytes: 1_000 });
    const caller = await ground.start();
    const closed: string[] = [];
    const method = (name: string, wrong: unknown) => async function* (): AsyncGenerator<string> {
      try {
        yield '0';
        yield wrong as string;
        yield '2';
      } finally {
        closed.push(name);
      }
    };
    await serveStreams(server, { large: method('large', 'x'.repeat(1_001)), number: method('number', 7) });
    expect(await endOf(streamOf(caller, 'large'))).toMatchObject({ items: ['0'], error: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(await endOf(streamOf(caller, 'number'))).toMatchObject({ items: ['0'], error: { code: 'REMOTE_FAILED' } });
    expect(closed).toEqual(['large', 'number']);
  });

  it('is refused where the method gives one answer, and the other way round', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await server.rpc.serve({ ...SERVICE, concurrency: 4, methods: new Map<string, never>([
      ['one', { idempotent: true, handle: async () => '1' } as never], ['many', { idempotent: true, stream: new Counting(3).stream } as never],
    ]) });
    expect(await endOf(streamOf(caller, 'one'))).toMatchObject({ items: [], error: { code: 'UNKNOWN_METHOD' } });
    expect(await failureOf(call(caller, 'many'))).toMatchObject({ code: 'UNKNOWN_METHOD' });
    expect(await endOf(streamOf(caller, 'none'))).toMatchObject({ items: [], error: { code: 'UNKNOWN_METHOD' } });
  });

  it.each([
    ['a window of 0', { window: 0 }], ['a window beyond the bound', { window: 10_001 }], ['a requestId', { requestId: 'a', idempotent: true }],
    ['a one-way call', { oneWay: true }],
  ])('is refused with %s', async (_, options) => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { count: new Counting(1).stream });
    expect(await endOf(streamOf(caller, 'count', options))).toMatchObject({ items: [], error: { code: 'INVALID_INPUT' } });
  });

  it('learns at once that nobody serves it', async () => {
    const caller = await ground.start();
    expect(await endOf(streamOf(caller, 'count'))).toMatchObject({ items: [], error: { code: 'NO_INSTANCE' } });
  });

  it('ends at its deadline, and at the signal of its caller, and so does the method', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const slow = streamOf(caller, 'count', { timeoutMs: 2_000 });
    await slow.next();
    await waitFor(() => caller.rpc.callerCounters.timedOut === 1, { what: 'the deadline' });
    expect(await failureOf(slow.next())).toMatchObject({ code: 'CALL_TIMEOUT' });
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    const control = new AbortController();
    const cancelled = streamOf(caller, 'count', { signal: control.signal });
    await cancelled.next();
    control.abort();
    expect(await failureOf(cancelled.next())).toMatchObject({ code: 'CALL_CANCELLED' });
    await waitFor(() => counting.closed === 2, { what: 'the methods to be closed' });
    expect(await endOf(streamOf(caller, 'count', { signal: AbortSignal.abort() }))).toMatchObject({ items: [], error: { code: 'CALL_CANCELLED' } });
  });

  it('goes to a chosen instance', async () => {
    const [server, other, caller] = [await ground.start(), await ground.start(), await ground.start()];
    await serveStreams(other, { async *who() { yield '"other"'; } });
    const { member } = await serveStreams(server, { async *who() { yield '"chosen"'; } });
    for (let turn = 0; turn < 5; turn += 1) expect(await gathered(streamOf(caller, 'who', { instance: member }))).toEqual(['"chosen"']);
  });

  it('may be one of many on few slots, though all wait for their consumers', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { count: (request) => new Counting(Number(request.payload)).stream(request) }, 4);
    const counts = Array.from({ length: 40 }, (_, index) => 100 + index);
    const streams = counts.map((count) => streamOf(caller, 'count', { window: 4, payloadJson: `${count}` }));
    expect((await Promise.all(streams.map(gathered))).map(({ length }) => length)).toEqual(counts);
  });

  it('ends with CLOSED when its process stops, and its method is ended', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const items = streamOf(caller, 'count');
    await items.next();
    await caller.stop();
    expect(await failureOf(items.next())).toMatchObject({ code: 'CLOSED' });
    expect(await endOf(streamOf(caller, 'count'))).toMatchObject({ error: { code: 'CLOSED' } });
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed' });
  });

  it('ends at once with an error when its service stops without waiting for it', async () => {
    const [server, caller] = [await ground.start({ leaseMs: 60_000 }), await ground.start({ leaseMs: 60_000 })];
    const counting = new Counting();
    const serving = await serveStreams(server, { count: counting.stream });
    const items = streamOf(caller, 'count', { window: 8, timeoutMs: 20_000 });
    await items.next();
    await waitFor(() => caller.rpc.callerCounters.items === 8, { what: 'a window of items' });
    await serving.stop(20);
    const { items: rest, error } = await endOf(items);
    expect(rest).toHaveLength(7);
    expect(error).toMatchObject({ code: 'CALL_INDEFINITE', message: expect.stringContaining('has stopped') });
    expect(counting.closed).toBe(1);
  });

  it('is waited for by the stop of its service', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const held = gate();
    const serving = await serveStreams(server, {
      async *hold() {
        yield '0';
        await held.promise;
        yield '1';
      },
    });
    const items = streamOf(caller, 'hold');
    await items.next();
    const stopping = serving.stop(20_000);
    held.open();
    expect(await gathered(items)).toEqual(['1']);
    await stopping;
  });
});
