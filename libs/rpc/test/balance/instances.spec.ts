import { afterEach, describe, expect, it } from '@jest/globals';
import { requestsKey, type Serving } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import type { BalanceStrategy } from '../../src/balance/client-options.js';
import { InstanceChild } from '../instance-child.js';
import { methodsWith } from '../methods.js';
import { failureOf, gate, LEASE_MS, RpcGround, SERVICE } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';
import { client, countsOf, ghosts, sees, serveAs } from './prices.js';

const STRATEGIES: readonly BalanceStrategy[] = ['random', 'round-robin', 'least-active', 'two-choices', 'key'];

describe('calls of a client that chooses instances', () => {
  const ground = new RpcGround('balance');
  const ghost = ghosts(ground);
  const children: InstanceChild[] = [];
  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  /** Instances by their names, and a process that sees them. */
  async function around(...names: string[]): Promise<{ caller: RpcProcess; servings: Serving[] }> {
    const caller = await ground.start();
    const servings = await Promise.all(names.map(async (name) => serveAs(await ground.start(), name)));
    await sees(caller, servings);
    return { caller, servings };
  }

  /** How many requests have gone by the stream of the service. */
  async function pulled(): Promise<unknown> {
    const facts = (await ground.command('XINFO', 'STREAM', requestsKey(ground.prefix, SERVICE))) as unknown[];
    return facts[facts.indexOf('entries-added') + 1];
  }

  it.each(STRATEGIES)('go to the streams of instances, each to some, by %s', async (balance) => {
    const { caller } = await around('a', 'b', 'c');
    const { prices } = client(caller, { balance });
    const calls = Array.from({ length: 300 }, (_, index) => prices.again({}, { key: `k${index}` }));
    const counts = countsOf(await Promise.all(calls));
    expect(Object.keys(counts).sort()).toEqual(['a', 'b', 'c']);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(60);
    if (balance === 'round-robin') expect(counts).toEqual({ a: 100, b: 100, c: 100 });
    expect(await pulled()).toBe(0);
  });

  it('go by weight', async () => {
    const [caller, one, other] = [await ground.start(), await ground.start(), await ground.start()];
    await sees(caller, [await serveAs(one, 'light', { weight: 100 }), await serveAs(other, 'heavy', { weight: 300 })]);
    const { prices } = client(caller, { balance: 'round-robin' });
    const { light = 0, heavy = 0 } = countsOf(await Promise.all(Array.from({ length: 400 }, () => prices.again({}))));
    expect(light + heavy).toBe(400);
    expect(Math.abs(light - 100)).toBeLessThanOrEqual(1);
  });

  it('look for no instance of a version that nobody serves, until something changes', async () => {
    const { caller } = await around('a');
    const ofNobody = { service: 'prices', version: '9' };
    const none = caller.rpc.instances.instances(ofNobody);
    expect(none).toEqual([]);
    expect(caller.rpc.instances.instances(ofNobody)).toBe(none);
    await serveAs(await ground.start(), 'b', { version: '9' });
    await waitFor(() => caller.rpc.instances.instances(ofNobody).length === 1, { what: 'the instance of that version to be known' });
  });

  it('avoid an instance that is slow, by least-active', async () => {
    const [caller, slow] = [await ground.start(), await ground.start()];
    const held = gate();
    const stuck = await serveAs(slow, 'slow', { handle: () => held.promise.then(() => '{"by":"slow"}') });
    await sees(caller, [stuck]);
    const { prices } = client(caller, { balance: 'least-active' });
    const waiting = [prices.again({}), prices.again({})];
    await sees(caller, [stuck, await serveAs(await ground.start(), 'fast')]);
    for (let turn = 0; turn < 50; turn += 1) expect(await prices.again({})).toEqual({ by: 'fast' });
    held.open();
    expect(countsOf(await Promise.all(waiting))).toEqual({ slow: 2 });
  });

  it('go to the same instance by the key of their request, or that of the call', async () => {
    const { caller } = await around('a', 'b', 'c');
    const { prices } = client(caller, { balance: 'key', key: ({ item }: { item?: string }) => item });
    const other = client(caller, { balance: 'key' }, 2).prices;
    for (const item of ['x', 'y', 'z', 'w']) {
      const { by } = await prices.again({ item });
      expect(await prices.again({ item, count: 2 })).toEqual({ by });
      expect(await prices.again({ item: 'else' }, { key: item })).toEqual({ by });
      expect(await other.again({}, { key: item })).toEqual({ by });
    }
    expect(await failureOf(other.again({}))).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('by key') });
  });

  it('go to the instance that the caller names, with options and without', async () => {
    const { caller, servings } = await around('a', 'b');
    const { prices } = client(caller, { balance: 'round-robin' });
    const plain = client(caller, {}).prices;
    for (const { prices: made } of [{ prices }, { prices: plain }]) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => made.again({}, { instance: servings[1]!.member })));
      expect(countsOf(answers)).toEqual({ b: 10 });
    }
    expect(await failureOf(prices.again({}, { instance: 'nobody-1' }))).toMatchObject({ code: 'NO_INSTANCE' });
    expect(await failureOf(prices.again({}, { instance: 'a}:b' }))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('that nobody answers go by the stream of the service: a request must not end with its instance', async () => {
    const { caller } = await around('a', 'b');
    const { prices } = client(caller, { balance: 'round-robin' });
    await prices.tell({});
    expect(await pulled()).toBe(1);
  });

  it.each(STRATEGIES)('lose none that may be repeated when an instance is killed, by %s', async (balance) => {
    const [caller, server] = [await ground.start(), await ground.start()];
    const plan = { target: ground.target, prefix: ground.prefix, leaseMs: LEASE_MS, concurrency: 4, workMs: 60_000 };
    const child = new InstanceChild(plan);
    children.push(child);
    await child.serving();
    const handle = async () => '{"by":"server"}';
    const serving = await server.rpc.serve({ ...SERVICE, concurrency: 16, methods: methodsWith(handle) });
    await sees(caller, [serving, child]);
    const { prices } = client(caller, { balance, failure: 'fail-over' });
    const calls = Array.from({ length: 40 }, (_, index) => prices.again({}, { key: `k${index}` }));
    const risky = Array.from({ length: 40 }, (_, index) => prices.once({}, { key: `k${index}` }).catch((error: unknown) => error));
    await child.hasBegun(1);
    await child.kill();
    expect(countsOf(await Promise.all(calls))).toEqual({ server: 40 });
    const outcomes = await Promise.all(risky);
    for (const outcome of outcomes) {
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'CALL_INDEFINITE' });
      else expect(outcome).toEqual({ by: 'server' });
    }
    await sees(caller, [serving]);
    expect(countsOf(await Promise.all(Array.from({ length: 10 }, () => prices.again({}, { key: 'k' }))))).toEqual({ server: 10 });
  });

  it('do not go to an instance that stops while another is there', async () => {
    const { caller, servings } = await around('a', 'b');
    const { prices } = client(caller, { balance: 'round-robin', failure: 'fail-over' });
    const answers = [prices.again({})];
    const stopping = servings[0]!.stop(5_000);
    for (let turn = 0; turn < 200; turn += 1) answers.push(prices.again({}));
    await stopping;
    expect((await Promise.all(answers)).length).toBe(201);
    await sees(caller, [servings[1]!]);
    expect(countsOf(await Promise.all(Array.from({ length: 20 }, () => prices.again({}))))).toEqual({ b: 20 });
  });

  it('fail at once when the chosen instance has gone before they are sent, and another takes them by fail-over', async () => {
    const caller = await ground.start();
    await sees(caller, [await ghost(), await serveAs(await ground.start(), 'b')]);
    const fast = client(caller, { balance: 'round-robin' }).prices;
    const outcomes = await Promise.all([fast.once({}), fast.once({})].map((call) => call.catch((error: unknown) => error)));
    expect(outcomes).toEqual(expect.arrayContaining([expect.objectContaining({ code: 'NO_INSTANCE' }), { by: 'b' }]));
    for (const balance of STRATEGIES) {
      const over = client(caller, { balance, failure: 'fail-over' }).prices;
      expect(countsOf(await Promise.all(Array.from({ length: 20 }, (_, index) => over.once({}, { key: `k${index}` }))))).toEqual({ b: 20 });
    }
  });

  it('go on by the instances that were known while the registry is away', async () => {
    const { process: caller, proxy } = await ground.startBehindProxy();
    const servings = [await serveAs(await ground.start(), 'a'), await serveAs(await ground.start(), 'b')];
    await sees(caller, servings);
    const { prices } = client(caller, { balance: 'round-robin' });
    await prices.again({});
    proxy.blackHole();
    const calls = [prices.again({}), prices.again({})];
    expect(caller.rpc.instances.instances(SERVICE)).toHaveLength(2);
    await proxy.pass();
    expect(countsOf(await Promise.all(calls))).toEqual({ a: 1, b: 1 });
  });

  it('end by their deadline or their signal when the instances cannot be read', async () => {
    await serveAs(await ground.start(), 'a');
    const { process: caller, proxy } = await ground.startBehindProxy();
    proxy.blackHole();
    const { prices } = client(caller, { balance: 'random' });
    const abort = new AbortController();
    const cancelled = failureOf(prices.again({}, { signal: abort.signal }));
    expect(await failureOf(prices.again({}, { timeout: '50ms' }))).toMatchObject({
      code: 'CALL_TIMEOUT', mayHaveRun: false, message: expect.stringContaining('Redis did not tell its instances within 50 ms'),
    });
    abort.abort();
    expect(await cancelled).toMatchObject({ code: 'CALL_CANCELLED' });
    await proxy.pass();
    await waitFor(async () => (await prices.again({}, { timeout: '2s' }).catch(() => null)) !== null, { what: 'calls to go through again' });
  });
});
