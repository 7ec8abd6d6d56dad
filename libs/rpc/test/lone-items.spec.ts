import { describe, expect, it } from '@jest/globals';
import { listen } from '@millrace/core';
import { AnsweredFailure, inboxKey, type OutgoingCall } from '@millrace/rpc';
import { CommandTape, waitFor } from '@millrace/testing';
import { gate, RpcGround, SERVICE, untilAborted } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';
import { Counting, type End, endOf, gathered, numbers, serveStreams, streamOf } from './stream-ground.js';

const SECRET = 'the ledger of Ms Smith is empty';

/** All that a sink is given. */
function poured({ rpc }: RpcProcess, method: string, options: Partial<OutgoingCall> = {}): Promise<End> {
  return new Promise((resolve) => {
    const items: string[] = [];
    const call = { ...SERVICE, method, payloadJson: '1', timeoutMs: 60_000, idempotent: false, ...options };
    rpc.stream(call).pour({ item: (text) => void items.push(text), end: (error) => resolve({ items, error: error as End['error'] }) });
  });
}

function nothing(): void {}

describe('a streamed answer of one item', () => {
  const ground = new RpcGround('lone-items');

  it('comes with the end of its request, and so does one of none', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { one: async ({ payload }) => payload, none: async () => null });
    expect(await gathered(streamOf(caller, 'one', { payloadJson: '"1"' }))).toEqual(['"1"']);
    expect(await gathered(streamOf(caller, 'none'))).toEqual([]);
    await waitFor(() => server.rpc.serverCounters.answered === 2, { what: 'both to be settled' });
    expect(server.rpc.serverCounters).toMatchObject({ items: 0, inFlight: 0 });
    expect(caller.rpc.callerCounters).toMatchObject({ items: 1, answered: 2, failed: 0, inFlight: 0, malformed: 0 });
  });

  it('costs no look at presence: nobody is watched before it is known who serves it', async () => {
    const [server, caller] = [await ground.start({ leaseMs: 60_000 }), await ground.start({ leaseMs: 60_000 })];
    await serveStreams(server, { one: async () => '1' });
    await gathered(streamOf(caller, 'one'));
    const tape = await CommandTape.start(ground.server.url);
    for (let call = 0; call < 50; call += 1) await gathered(streamOf(caller, 'one'));
    const looks = (await tape.text()).split('\n').filter((line) => /"EVALSHA"/i.test(line) && line.includes(':{presence}:'));
    tape.stop();
    expect(looks.length).toBeLessThan(5);
  });

  it('may be left as soon as it has come', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { one: async () => '1' });
    for await (const item of streamOf(caller, 'one')) {
      expect(item).toBe('1');
      break;
    }
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 1, cancelled: 0 });
  });

  it('may turn out to have many items', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting(1_000);
    await serveStreams(server, { many: async (request) => counting.stream(request) });
    expect(await gathered(streamOf(caller, 'many'))).toEqual(numbers(1_000));
  });

  it('is not taken behind items of another execution: the call is not known to be complete', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const inboxes: [string, number][] = [];
    const counting = new Counting();
    await serveStreams(server, {
      many: (request) => {
        const [inbox = '', correlation] = request.id.split('/');
        inboxes.push([inbox, Number(correlation)]);
        return counting.stream(request);
      },
    });
    const items = streamOf(caller, 'many', { window: 2 });
    expect(await items.next()).toMatchObject({ value: '0' });
    const [inbox, correlation] = inboxes[0]!;
    await ground.command('XADD', inboxKey(ground.prefix, inbox), 'NOMKSTREAM', '*', `r${correlation}`, '"other"');
    expect(await endOf(items)).toMatchObject({ error: { code: 'CALL_INDEFINITE' } });
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed' });
  });

  it('aborts the signal of its method when its consumer leaves before it is there', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const begun = gate();
    await serveStreams(server, { hang: untilAborted(begun.open, nothing) });
    const items = streamOf(caller, 'hang');
    void items.next();
    await begun.promise;
    await items.return!();
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'the slot to be free' });
    expect(server.rpc.serverCounters).toMatchObject({ cancelled: 1, answered: 0 });
  });

  it('ends at once with an error when its service stops without waiting for it', async () => {
    const [server, caller] = [await ground.start({ leaseMs: 60_000 }), await ground.start({ leaseMs: 60_000 })];
    const begun = gate();
    const serving = await serveStreams(server, { hang: untilAborted(begun.open, nothing) });
    const end = endOf(streamOf(caller, 'hang', { timeoutMs: 20_000 }));
    await begun.promise;
    await serving.stop(20);
    expect(await end).toMatchObject({ items: [], error: { code: 'CALL_INDEFINITE', message: expect.stringContaining('has stopped') } });
  });

  it('ends with the error of a method that throws at once, and of one that throws later', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { atOnce: () => { throw new Error('at once'); }, later: () => Promise.reject(new Error('later')) });
    for (const [method, message] of [['atOnce', 'at once'], ['later', 'later']] as const) {
      expect(await endOf(streamOf(caller, method))).toMatchObject({ items: [], error: { code: 'REMOTE_FAILED', remote: { message } } });
    }
  });
});

describe('a method that answers its own failure', () => {
  const ground = new RpcGround('own-failure');

  it('says alone what its caller gets, as its only item or as the last one', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const told: unknown[] = [];
    const stop = listen('call-failed', ({ method, error }) => void told.push([method, error.message]));
    const failure = (): Error => new AnsweredFailure('"sorry"', new Error(SECRET));
    await serveStreams(server, {
      only: () => Promise.reject(failure()),
      async *last() {
        yield* numbers(100);
        throw failure();
      },
    });
    const tape = await CommandTape.start(ground.server.url);
    expect(await endOf(streamOf(caller, 'only'))).toEqual({ items: ['"sorry"'], error: null });
    expect(await endOf(streamOf(caller, 'last'))).toEqual({ items: [...numbers(100), '"sorry"'], error: null });
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'both to be settled' });
    stop();
    expect(told).toEqual([['only', SECRET], ['last', SECRET]]);
    expect(server.rpc.figures().map(({ method, failed }) => [method, failed])).toEqual([
      ['only', { REMOTE_FAILED: 1 }], ['last', { REMOTE_FAILED: 1 }],
    ]);
    const text = await tape.text();
    tape.stop();
    expect(text).toContain('sorry');
    expect(text).not.toContain(SECRET);
  });
});

describe('a sink', () => {
  const ground = new RpcGround('sink');

  it('gets all items, then the end', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { count: new Counting(1_000).stream, one: async () => '1' });
    expect(await poured(caller, 'count')).toEqual({ items: numbers(1_000), error: null });
    expect(await poured(caller, 'one')).toEqual({ items: ['1'], error: null });
    expect(await poured(caller, 'unknown')).toMatchObject({ items: [], error: { code: 'UNKNOWN_METHOD' } });
    expect(await poured(caller, 'count', { window: 0 })).toMatchObject({ items: [], error: { code: 'INVALID_INPUT' } });
  });
  it('says that it has enough, and nothing more comes', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const items: string[] = [];
    await new Promise<void>((resolve) => {
      const call = { ...SERVICE, method: 'count', payloadJson: '1', timeoutMs: 60_000, idempotent: false };
      const leave = caller.rpc.stream(call).pour({
        item: (text) => {
          if (items.push(text) < 200) return;
          leave();
          resolve();
        },
        end: () => void items.push('an end'),
      });
    });
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed' });
    expect(items).toEqual(numbers(200));
    expect(caller.rpc.callerCounters).toMatchObject({ cancelled: 1, inFlight: 0 });
  });
});
