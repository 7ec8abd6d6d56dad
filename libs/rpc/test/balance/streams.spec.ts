import { describe, expect, it } from '@jest/globals';
import { Balancer, type CallOptions, RpcContract, type RpcClientOptions, rpcClient } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { IsString } from 'class-validator';
import { failureOf, gate, RpcGround } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';
import { serveStreams } from '../stream-ground.js';
import { sees } from './prices.js';

class Tick {
  @IsString() by!: string;
}

@RpcContract<TicksApi>('prices', { ticks: { items: Tick, timeout: '30s' } })
abstract class TicksApi {
  abstract ticks(request?: undefined, options?: CallOptions): AsyncIterableIterator<Tick>;
}

describe('streamed answers of a client with options', () => {
  const ground = new RpcGround('balanced-streams');

  function clientOf({ rpc }: RpcProcess, options: RpcClientOptions): { ticks: TicksApi; balancer: Balancer } {
    const balancer = new Balancer(rpc.instances);
    return { balancer, ticks: rpcClient(TicksApi, { calls: rpc, balancer, options }) };
  }

  async function* ticksOf(by: string): AsyncGenerator<string> {
    for (;;) yield JSON.stringify({ by });
  }

  async function* broken(): AsyncGenerator<string> {
    yield* await Promise.reject<string[]>(new Error('no ticks'));
  }

  it('come from the instance that their key leads to', async () => {
    const servers = [await ground.start(), await ground.start(), await ground.start()];
    const servings = [];
    for (const [index, server] of servers.entries()) servings.push(await serveStreams(server, { ticks: () => ticksOf(`${index}`) }));
    const caller = await ground.start();
    await sees(caller, servings);
    const { ticks } = clientOf(caller, { balance: 'key' });
    const firstOf = async (key: string): Promise<string> => {
      for await (const { by } of ticks.ticks(undefined, { key })) return by;
      throw new Error('there are none');
    };
    const keys = Array.from({ length: 24 }, (_, index) => `customer-${index}`);
    const found: string[] = [];
    for (const key of keys) found.push(await firstOf(key));
    expect(new Set(found).size).toBe(3);
    for (const [index, key] of keys.entries()) expect(await firstOf(key)).toBe(found[index]);
  });

  it('count against the limit of their caller until they have ended', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { ticks: () => ticksOf('one') });
    const { ticks } = clientOf(caller, { maxInFlight: 1 });
    const first = ticks.ticks();
    expect(await first.next()).toMatchObject({ value: { by: 'one' } });
    expect(await failureOf(ticks.ticks().next())).toMatchObject({ code: 'BACK_PRESSURE' });
    await first.return?.();
    expect(await first.next()).toEqual({ done: true, value: undefined });
    expect(await ticks.ticks().next()).toMatchObject({ value: { by: 'one' } });
    await waitFor(() => server.rpc.serverCounters.cancelled === 1, { what: 'the first to be ended' });
  });

  it('open a circuit when they fail', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { ticks: broken });
    const { ticks, balancer } = clientOf(caller, { circuit: { calls: 2, minimumCalls: 2, openFor: '1h', remoteErrors: true } });
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(ticks.ticks().next())).toMatchObject({ code: 'REMOTE_FAILED' });
    expect(await failureOf(ticks.ticks().next())).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(balancer.circuits()).toMatchObject([{ service: 'prices', state: 'open' }]);
  });

  it('give their place back when their consumer drops them without a word and their time is over', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { ticks: () => ticksOf('one') });
    const { ticks, balancer } = clientOf(caller, { maxInFlight: 2 });
    const abort = new AbortController();
    await ticks.ticks(undefined, { timeout: '2s' }).next();
    await ticks.ticks(undefined, { signal: abort.signal }).next();
    expect(balancer.inFlightOf('prices').count).toBe(2);
    abort.abort();
    await waitFor(() => balancer.inFlightOf('prices').count === 0, { what: 'both places to be free' });
  });

  it('wait no longer for their turn when they are given up, and send nothing', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { ticks: () => ticksOf('one') });
    const { ticks, balancer } = clientOf(caller, { maxInFlight: 1, maxQueued: 1 });
    const first = ticks.ticks();
    await first.next();
    const second = ticks.ticks();
    const asked = second.next();
    await waitFor(() => balancer.inFlightOf('prices').waiting === 1, { what: 'the second to wait for its turn' });
    expect(await second.return?.()).toEqual({ done: true, value: undefined });
    expect(await asked).toEqual({ done: true, value: undefined });
    expect(balancer.inFlightOf('prices')).toMatchObject({ count: 1, waiting: 0 });
    expect(caller.rpc.callerCounters.sent).toBe(1);
    await first.return?.();
    expect(balancer.inFlightOf('prices').count).toBe(0);
  });

  it('close a circuit by their first item: other calls do not wait for their end', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { ticks, balancer } = clientOf(caller, { circuit: { calls: 2, minimumCalls: 2, openFor: '1ms' } });
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(ticks.ticks().next())).toMatchObject({ code: 'NO_INSTANCE' });
    expect(balancer.circuits()).toMatchObject([{ state: 'open' }]);
    await serveStreams(server, { ticks: () => ticksOf('one') });
    const streams: AsyncIterableIterator<Tick>[] = [];
    await waitFor(async () => {
      const stream = ticks.ticks();
      const hasItem = await stream.next().then(() => true, () => false);
      if (hasItem) streams.push(stream);
      return hasItem;
    }, { what: 'a stream to be tried' });
    expect(balancer.circuits()).toMatchObject([{ state: 'closed' }]);
    streams.push(ticks.ticks());
    expect(await streams[1]!.next()).toMatchObject({ value: { by: 'one' } });
    for (const stream of streams) await stream.return?.();
  });

  it('leave a circuit open when they are given up before their first item', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { ticks, balancer } = clientOf(caller, { circuit: { calls: 2, minimumCalls: 2, openFor: '1ms' } });
    for (let turn = 0; turn < 2; turn += 1) expect(await failureOf(ticks.ticks().next())).toMatchObject({ code: 'NO_INSTANCE' });
    const { promise, open } = gate();
    await serveStreams(server, { ticks: () => (async function* held() { yield* await promise.then(() => []); })() });
    await waitFor(() => balancer.circuits()[0]!.retryAtMs! <= Date.now(), { what: 'the time of the open circuit to be over' });
    const stream = ticks.ticks();
    const asked = stream.next();
    await waitFor(() => balancer.circuits()[0]!.state === 'half-open', { what: 'the stream to be tried' });
    await stream.return?.();
    expect(await asked).toMatchObject({ done: true });
    await waitFor(() => balancer.circuits()[0]!.state === 'open', { what: 'the circuit to open again' });
    open();
  });
});
