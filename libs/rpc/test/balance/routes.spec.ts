import { describe, expect, it } from '@jest/globals';
import { Balancer, type CallPort, type OutgoingCall, rpcClient } from '@millrace/rpc';
import { failureOf, RpcGround } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';
import { client, countsOf, ghosts, PricesApi, sees, serveAs } from './prices.js';

describe('the routes of a client', () => {
  const ground = new RpcGround('routes');
  const ghost = ghosts(ground);

  /** A process that sees instances: those of version 1 have the tag of their name, but for `plain`. */
  async function around(...names: string[]): Promise<RpcProcess> {
    const caller = await ground.start();
    const servings = await Promise.all(names.map(async (name) => {
      const rest = name.startsWith('plain') ? {} : name.startsWith('v2') ? { version: '2' } : { tags: [name] };
      return serveAs(await ground.start(), name, rest);
    }));
    await sees(caller, servings);
    return caller;
  }

  it('give a tag its share, and the others the rest', async () => {
    const caller = await around('canary', 'plain1', 'plain2', 'eu');
    const { prices } = client(caller, { routes: [{ tag: 'canary', share: 5 }, { share: 95 }] });
    const { canary = 0, ...others } = countsOf(await Promise.all(Array.from({ length: 2_000 }, () => prices.again({}))));
    // Five standard deviations around 100.
    expect(Math.abs(canary - 100)).toBeLessThan(49);
    expect(Object.keys(others).sort()).toEqual(['eu', 'plain1', 'plain2']);
  });

  it('give a version its share, by pull as well', async () => {
    const caller = await around('plain', 'v2');
    const { prices } = client(caller, { routes: [{ version: '2', share: 10 }, { version: '1', share: 90 }] });
    const { v2 = 0, plain = 0 } = countsOf(await Promise.all(Array.from({ length: 1_000 }, () => prices.again({}))));
    expect(v2 + plain).toBe(1_000);
    expect(Math.abs(v2 - 100)).toBeLessThan(48);
  });

  it('take a key the same way each time, in every process', async () => {
    const caller = await around('canary', 'plain');
    const routes = [{ tag: 'canary', share: 30 }, { share: 70 }];
    const [one, other] = [client(caller, { routes }).prices, client(caller, { routes }, 2).prices];
    const keys = Array.from({ length: 200 }, (_, index) => `customer-${index}`);
    const ways = async (prices: typeof one) => Promise.all(keys.map(async (key) => (await prices.again({}, { key })).by));
    const first = await ways(one);
    expect(await ways(other)).toEqual(first);
    // Five standard deviations around 60.
    expect(Math.abs(first.filter((by) => by === 'canary').length - 60)).toBeLessThan(33);
  });

  it('lead elsewhere when nobody serves one, unless they are strict', async () => {
    const caller = await around('plain');
    const routes = [{ tag: 'canary', share: 99 }, { share: 1 }];
    for (const options of [{ routes }, { tag: 'canary' }, { routes: [{ version: '2' }] }, { routes: [{ tag: 'canary' }, { version: '2' }] }]) {
      const { prices } = client(caller, options);
      expect(countsOf(await Promise.all(Array.from({ length: 20 }, () => prices.again({}))))).toEqual({ plain: 20 });
    }
    expect(await failureOf(client(caller, { tag: 'canary', strict: true }).prices.again({}))).toMatchObject({
      code: 'NO_INSTANCE', message: expect.stringContaining("no instance with tag 'canary' in version '1' is running, and its routes are strict"),
    });
    const strict = client(caller, { routes: [{ version: '2' }], strict: true }).prices;
    expect(await failureOf(strict.again({}))).toMatchObject({ code: 'NO_INSTANCE' });
  });

  it('do not bind a call that names its instance: it is one of the version of the contract', async () => {
    const caller = await around('plain', 'v2');
    const { member } = caller.rpc.instances.instances({ service: 'prices', version: '1' })[0]!;
    const sent: OutgoingCall[] = [];
    const { rpc } = caller;
    const calls: CallPort = { call: (call) => (sent.push(call), rpc.call(call)), stream: (call) => rpc.stream(call) };
    const balancer = new Balancer(caller.rpc.instances);
    const prices = rpcClient(PricesApi, { calls, balancer, options: { routes: [{ version: '2' }], strict: true } });
    expect(await prices.again({}, { instance: member })).toEqual({ by: 'plain' });
    expect(sent).toEqual([expect.objectContaining({ version: '1', instance: member })]);
  });

  it('without a tag take instances of the tags of others when there are no others', async () => {
    const caller = await around('canary');
    const { prices } = client(caller, { routes: [{ tag: 'canary', share: 1 }, { share: 99 }] });
    expect(countsOf(await Promise.all(Array.from({ length: 20 }, () => prices.again({}))))).toEqual({ canary: 20 });
  });

  it('follow the tags of instances that come and go', async () => {
    const caller = await ground.start();
    const plain = await serveAs(await ground.start(), 'plain');
    await sees(caller, [plain]);
    const { prices } = client(caller, { tag: 'canary' });
    expect(await prices.again({})).toEqual({ by: 'plain' });
    const serving = await serveAs(await ground.start(), 'canary', { tags: ['canary'] });
    await sees(caller, [plain, serving]);
    expect(countsOf(await Promise.all(Array.from({ length: 10 }, () => prices.again({}))))).toEqual({ canary: 10 });
    await serving.stop(1_000);
    await sees(caller, [plain]);
    expect(await prices.again({})).toEqual({ by: 'plain' });
  });

  it('are kept by the attempts of one call, which go beyond them when all instances of the route failed', async () => {
    const caller = await ground.start();
    await sees(caller, [await ghost(['canary']), await serveAs(await ground.start(), 'plain')]);
    expect(await client(caller, { tag: 'canary', failure: 'fail-over' }).prices.once({})).toEqual({ by: 'plain' });
    const strict = client(caller, { tag: 'canary', strict: true, failure: 'fail-over', retries: 1 });
    expect(await failureOf(strict.prices.once({}))).toMatchObject({
      code: 'NO_INSTANCE', message: expect.stringContaining("no other instance with tag 'canary'"),
    });
  });

  it('that share one deadline end, when every instance of every route has failed', async () => {
    const caller = await ground.start();
    await sees(caller, [await ghost(['canary']), await ghost(['blue'])]);
    const { prices } = client(caller, { routes: [{ tag: 'canary' }, { tag: 'blue' }], failure: 'fail-over', retries: 4 });
    expect(await failureOf(prices.once({}))).toMatchObject({ code: 'NO_INSTANCE' });
  });
});
