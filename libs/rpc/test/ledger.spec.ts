import { describe, expect, it } from '@jest/globals';
import type { Begun, LedgerPort } from '@millrace/core';
import { silence, waitFor } from '@millrace/testing';
import { call, failureOf, gate, LEASE_MS, RpcGround, serve } from './rpc-ground.js';

/** A ledger in the memory of the test; it writes down how it is asked. */
class MemoryLedger implements LedgerPort {
  readonly asked: string[] = [];
  readonly results = new Map<string, string | null>();
  isAway = false;
  /** When it answers. */
  answers: Promise<void> = Promise.resolve();
  /** When it records. */
  records: Promise<void> = Promise.resolve();

  async begin(id: string, holder: string): Promise<Begun> {
    if (this.isAway) throw new Error('away');
    this.asked.push(`begin ${id}`);
    await this.answers;
    const result = this.results.get(id);
    if (result === null) return { kind: 'busy', retryMs: 5 };
    if (result !== undefined) return { kind: 'done', result };
    this.results.set(id, null);
    return { kind: 'mine', token: `${holder} ${id}` };
  }

  async complete(id: string, token: string, result: string): Promise<boolean> {
    if (this.isAway) throw new Error('away');
    this.asked.push(`complete ${id} ${token.endsWith(id)}`);
    await this.records;
    this.results.set(id, result);
    return true;
  }

  async release(id: string): Promise<void> {
    this.asked.push(`release ${id}`);
    this.results.delete(id);
  }
}

describe('an idempotent method with a ledger', () => {
  const ground = new RpcGround('ledger');

  it('is executed once for a request, and each call of it gets the recorded answer', async () => {
    const ledger = new MemoryLedger();
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    let executed = 0;
    await serve(server, {
      count: async () => `${(executed += 1)}`,
      fail: async () => {
        executed += 1;
        throw new Error(`number ${executed}`);
      },
      nothing: async () => null,
    });
    expect(await call(caller, 'count', { requestId: 'a' })).toBe('1');
    expect(await call(caller, 'count', { requestId: 'a' })).toBe('1');
    expect(await call(caller, 'count', { requestId: 'b' })).toBe('2');
    // A failure is not kept: the next call of the request is a new try.
    for (const message of ['number 3', 'number 4']) expect(await failureOf(call(caller, 'fail', { requestId: 'c' }))).toMatchObject({ remote: { message } });
    for (let turn = 0; turn < 2; turn += 1) expect(await call(caller, 'nothing', { requestId: 'd' })).toBeNull();
    expect(ledger.asked.slice(0, 3)).toEqual(['begin a', 'complete a true', 'begin a']);
  });

  it('is not executed when the time of its call is over before the ledger has answered', async () => {
    const ledger = new MemoryLedger();
    const answered = gate();
    ledger.answers = answered.promise;
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    let executed = 0;
    await serve(server, { count: async () => `${(executed += 1)}` });
    expect(await failureOf(call(caller, 'count', { requestId: 'a', timeoutMs: 200 }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    answered.open();
    await waitFor(() => ledger.asked.includes('release a'), { what: 'the entry to be given back' });
    expect(executed).toBe(0);
    expect(await call(caller, 'count', { requestId: 'a' })).toBe('1');
  });

  it('is not executed on a word of the ledger that came while others could take its process for dead', async () => {
    const ledger = new MemoryLedger();
    const answered = gate();
    ledger.answers = answered.promise;
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    let executed = 0;
    await serve(server, { count: async () => `${(executed += 1)}` });
    const calling = call(caller, 'count', { requestId: 'a' });
    await waitFor(() => ledger.asked.includes('begin a'), { what: 'the ledger to be asked' });
    const speak = silence(server);
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS));
    answered.open();
    await waitFor(() => ledger.asked.includes('release a'), { what: 'the entry to be given back' });
    expect(executed).toBe(0);
    speak();
    expect(await calling).toBe('1');
  });

  it('is answered when its outcome is recorded, and not before', async () => {
    const ledger = new MemoryLedger();
    const recorded = gate();
    ledger.records = recorded.promise;
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    await serve(server, { count: async () => '1', fail: () => Promise.reject(new Error('no record')) });
    const calling = call(caller, 'count', { requestId: 'a' });
    await waitFor(() => ledger.asked.includes('complete a true'), { what: 'the outcome to be on its way' });
    // An answer that was written before this one has been read.
    await failureOf(call(caller, 'fail'));
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 0, failed: 1 });
    recorded.open();
    expect(await calling).toBe('1');
  });

  it('is recorded when the ledger is there again: a repeated call does not wait in vain', async () => {
    const ledger = new MemoryLedger();
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    let executed = 0;
    await serve(server, {
      count: async () => {
        ledger.isAway = true;
        return `${(executed += 1)}`;
      },
    });
    expect(await call(caller, 'count', { requestId: 'a' })).toBe('1');
    ledger.isAway = false;
    expect(await call(caller, 'count', { requestId: 'a' })).toBe('1');
  });

  it('waits while another instance executes the request', async () => {
    const ledger = new MemoryLedger();
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    let executed = 0;
    await serve(server, { count: async () => `${(executed += 1)}` });
    ledger.results.set('a', null);
    const calling = call(caller, 'count', { requestId: 'a' });
    const late = failureOf(call(caller, 'count', { requestId: 'a', timeoutMs: 100 }));
    await waitFor(() => ledger.asked.length > 3, { what: 'the ledger to be asked again' });
    expect(await late).toMatchObject({ code: 'CALL_TIMEOUT' });
    ledger.results.set('a', 'r"theirs"');
    expect(await calling).toBe('"theirs"');
    expect(executed).toBe(0);
  });

  it('is not executed while the ledger fails, and is when it answers again', async () => {
    const ledger = new MemoryLedger();
    ledger.isAway = true;
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    let executed = 0;
    await serve(server, { count: async () => `${(executed += 1)}` });
    expect(await failureOf(call(caller, 'count', { timeoutMs: 200 }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    const calling = call(caller, 'count');
    expect(executed).toBe(0);
    ledger.isAway = false;
    expect(await calling).toBe('1');
  });

  it('says so when the result was too large to be recorded', async () => {
    const ledger = new MemoryLedger();
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    await serve(server, { count: async () => '1' });
    ledger.results.set('a', '');
    expect(await failureOf(call(caller, 'count', { requestId: 'a' }))).toMatchObject({ code: 'CALL_INDEFINITE' });
  });

  it('lets others begin the request at once when its process stops without it', async () => {
    const ledger = new MemoryLedger();
    const [server, other] = [await ground.start({ ledgerOf: () => ledger }), await ground.start({ ledgerOf: () => ledger })];
    const caller = await ground.start();
    const begun = gate();
    const serving = await serve(server, {
      hang: ({ signal }) => (begun.open(), new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))),
    });
    const calling = call(caller, 'hang', { requestId: 'a' });
    await begun.promise;
    await serve(other, { hang: async () => '"others"' });
    await serving.stop(20);
    expect(await calling).toBe('"others"');
    expect(ledger.asked.filter((asked) => asked.startsWith('release'))).toEqual(['release a']);
  });

  it('does without it where the method is not idempotent', async () => {
    const ledger = new MemoryLedger();
    const [server, caller] = [await ground.start({ ledgerOf: () => ledger }), await ground.start()];
    await serve(server, { count: async () => '1' }, { idempotent: false });
    expect(await call(caller, 'count')).toBe('1');
    expect(ledger.asked).toEqual([]);
  });
});
