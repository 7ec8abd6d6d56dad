import { afterEach, describe, expect, it } from '@jest/globals';
import { requestsKey, type RpcRequest } from '@millrace/rpc';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import type { CallerPlan } from './fixtures/caller.js';
import type { HaltingPoint } from './fixtures/halting.js';
import { InstanceChild } from './instance-child.js';
import { methodsWith } from './methods.js';
import { call, failureOf, gate, LEASE_MS, RpcGround, serve, SERVICE } from './rpc-ground.js';

const before = (command: string): HaltingPoint => ({ when: 'before', command });
const after = (command: string): HaltingPoint => ({ when: 'after', command });
/** Makes a ledger in this Redis. */
const KEPT = { ledgerOf: undefined };

const ground = new RpcGround('points');
const ended: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(ended.splice(0).map((end) => end())));
const left = async (): Promise<number> => (await ground.command('XLEN', requestsKey(ground.prefix, SERVICE))) as number;

describe('R27 an instance that is killed', () => {
  async function haltingChild(point: HaltingPoint): Promise<InstanceChild> {
    // A method that takes longer than a sample of the clock counts has its answer sent the way of several.
    const workMs = point.command === 'answer.lua' ? 1_000 : 1;
    const plan = { target: ground.target, prefix: ground.prefix, leaseMs: LEASE_MS, concurrency: 4, workMs };
    const child = new InstanceChild({ ...plan, haltAt: point, keepsAnswers: true });
    ended.push(() => child.kill());
    return child.serving();
  }

  /** Serves too, and notes the ids of the requests that it executes. */
  async function startOther(): Promise<string[]> {
    const executed: string[] = [];
    const note = async ({ id, payload }: RpcRequest): Promise<string> => (executed.push(id), payload);
    await (await ground.start(KEPT)).rpc.serve({ ...SERVICE, concurrency: 4, methods: methodsWith(note) });
    return executed;
  }

  it.each([
    ['when it has read a request', after('XREADGROUP'), 0, 1],
    ['before the ledger knows that it begins', before('begin-entries.lua'), 0, 1],
    ['when the ledger knows that it begins', after('begin-entries.lua'), 0, 1],
    ['after the effect, before the outcome is recorded', before('complete-entries.lua'), 1, 1],
    ['when the outcome is recorded', after('complete-entries.lua'), 1, 0],
    ['before it answers', before('answer'), 1, 0],
    ['when it has answered', after('answer'), 1, 0],
    ['before it answers after long work', before('answer.lua'), 1, 0],
    ['when it has answered after long work', after('answer.lua'), 1, 0],
  ])('%s has an idempotent call answered once, and executed again with the same id only where no outcome is recorded', async (_, point, byChild, byOther) => {
    const [caller, child] = [await ground.start(), await haltingChild(point)];
    const again = (): Promise<string | null> => call(caller, 'again', { payloadJson: '7', requestId: 'order-7', timeoutMs: 30_000 });
    const calling = again();
    await child.hasHalted();
    const executed = await startOther();
    await child.kill();
    expect(await calling).toBe('7');
    expect(child.ids).toEqual(Array(byChild).fill('order-7'));
    expect(executed).toEqual(Array(byOther).fill('order-7'));
    // The caller may ask again for as long as the answer is kept.
    expect(await again()).toBe('7');
    expect(executed).toHaveLength(byOther);
    await waitFor(async () => (await left()) === 0, { what: 'no request to be left' });
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 2, lateAnswers: 0 });
  });

  it.each([
    ['when it has read a request', after('XREADGROUP'), 0, 'CALL_INDEFINITE'],
    ['before it answers', before('answer'), 1, 'CALL_INDEFINITE'],
    ['when it has answered', after('answer'), 1, '7'],
    ['before it answers after long work', before('answer.lua'), 1, 'CALL_INDEFINITE'],
    ['when it has answered after long work', after('answer.lua'), 1, '7'],
  ])('%s has a call that is not idempotent executed by nobody else', async (_, point, byChild, outcome) => {
    const [caller, child] = [await ground.start(), await haltingChild(point)];
    const calling = call(caller, 'once', { payloadJson: '7', idempotent: false, timeoutMs: 30_000 }).catch((error: unknown) => (error as { code: string }).code);
    await child.hasHalted();
    const executed = await startOther();
    await child.kill();
    expect(await calling).toBe(outcome);
    await waitFor(async () => (await left()) === 0, { what: 'no request to be left' });
    expect([child.begun.length, executed.length]).toEqual([byChild, 0]);
  });
});

describe('a caller that is killed', () => {
  async function haltingCaller(point?: HaltingPoint): Promise<TypeScriptChild> {
    const plan: CallerPlan = { target: ground.target, prefix: ground.prefix, leaseMs: LEASE_MS, requestId: 'order-7', ...(point ? { haltAt: point } : {}) };
    const child = new TypeScriptChild(new URL('./fixtures/caller.ts', import.meta.url), { args: [JSON.stringify(plan)] });
    ended.push(() => child.kill());
    expect(await child.line()).toBe('calling');
    if (point) expect(await child.line()).toBe('halted');
    return child;
  }

  it.each([
    ['before its request is stored', before('send.lua'), 0],
    ['when its request is stored', after('send.lua'), 1],
    ['before its second request is stored', before('XADD'), 0],
    ['when its second request is stored', after('XADD'), 1],
    ['when it has read the answer', after('XREAD'), 1],
  ])('%s leaves nothing, and its successor gets the one answer to the same request', async (_, point, executions) => {
    const [server, successor] = [await ground.start(KEPT), await ground.start()];
    let executed = 0;
    await serve(server, { count: async () => `${(executed += 1)}`, warm: async () => null });
    const caller = await haltingCaller(point);
    await caller.kill();
    await waitFor(() => executed === executions, { what: 'the request to be executed' });
    expect(await call(successor, 'count', { requestId: 'order-7' })).toBe('1');
    await waitFor(async () => (await left()) === 0, { what: 'no request to be left' });
    expect(executed).toBe(1);
  });

  it('while its request is executed has it executed once, for its successor as well', async () => {
    const [server, successor] = [await ground.start(KEPT), await ground.start()];
    const [begun, held] = [gate(), gate()];
    let executed = 0;
    await serve(server, { count: () => ((executed += 1), begun.open(), held.promise.then(() => `${executed}`)) });
    const caller = await haltingCaller();
    await begun.promise;
    await caller.kill();
    const calling = call(successor, 'count', { requestId: 'order-7', timeoutMs: 30_000 });
    expect(await failureOf(call(successor, 'count', { requestId: 'order-7', timeoutMs: 300 }))).toMatchObject({ code: 'CALL_TIMEOUT' });
    held.open();
    expect(await calling).toBe('1');
    await waitFor(async () => (await left()) === 0, { what: 'no request to be left' });
    expect(executed).toBe(1);
  });
});
