import { describe, expect, it } from '@jest/globals';
import { InFlight } from '../../src/balance/limiting.js';
import { Outbound } from '../../src/balance/outbound.js';
import { failureOf, gate, RpcGround } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';
import { client, type PricesApi, serveAs } from './prices.js';

describe('the limit of calls in flight', () => {
  const ground = new RpcGround('limits');

  /** An instance that answers when it is let go, and a process that calls. */
  async function held(): Promise<{ caller: RpcProcess; open: () => void; begun: string[] }> {
    const [server, caller] = [await ground.start(), await ground.start()];
    const { promise, open } = gate();
    const begun: string[] = [];
    await serveAs(server, 'a', { handle: ({ payload }) => (begun.push(payload), promise.then(() => '{"by":"a"}')) });
    return { caller, open, begun };
  }

  it('rejects a call beyond it at once, for all clients of the process, and lets calls in again when some have ended', async () => {
    const { caller, open } = await held();
    const { prices, balancer } = client(caller, { maxInFlight: 2 });
    const calls = [prices.again({}), prices.once({})];
    const failure = await failureOf(prices.again({}));
    expect(failure).toMatchObject({ code: 'BACK_PRESSURE', retryable: true });
    expect(failure.message).toContain("'again' of service 'prices' was not sent: this process has 2 calls of it in flight");
    expect(failure.message).toContain('raise maxInFlight');
    expect(balancer.inFlightOf('prices').count).toBe(2);
    expect(caller.rpc.callerCounters.inFlight).toBe(2);
    open();
    await Promise.all(calls);
    await Promise.all([prices.again({}), prices.again({})]);
    expect(balancer.inFlightOf('prices').count).toBe(0);
  });

  it('lets calls wait for their turn, in their order, as many as may', async () => {
    const { caller, open, begun } = await held();
    const { prices, balancer } = client(caller, { maxInFlight: 1, maxQueued: 2 });
    const calls = [1, 2, 3].map((count) => prices.again({ count }));
    expect(await failureOf(prices.again({ count: 4 }))).toMatchObject({ code: 'BACK_PRESSURE' });
    expect(balancer.inFlightOf('prices').waiting).toBe(2);
    open();
    await Promise.all(calls);
    expect(begun).toEqual(['{"count":1}', '{"count":2}', '{"count":3}']);
    expect(balancer.inFlightOf('prices')).toMatchObject({ count: 0, waiting: 0 });
  });

  it('ends the wait of a call by its deadline, and by its signal', async () => {
    const { caller, open, begun } = await held();
    const { prices, balancer } = client(caller, { maxInFlight: 1, maxQueued: 5 });
    const first = prices.again({});
    const abort = new AbortController();
    const cancelled = failureOf(prices.again({}, { signal: abort.signal }));
    expect(await failureOf(prices.again({}, { timeout: '30ms' }))).toMatchObject({
      code: 'BACK_PRESSURE', message: expect.stringContaining('its turn did not come'),
    });
    abort.abort();
    expect(await cancelled).toMatchObject({ code: 'CALL_CANCELLED' });
    expect(balancer.inFlightOf('prices')).toMatchObject({ count: 1, waiting: 0 });
    open();
    await first;
    expect(begun).toHaveLength(1);
    expect(balancer.inFlightOf('prices').count).toBe(0);
  });

  it('gives a free place to a client only as far as that one may have more in flight', async () => {
    const inFlight = new InFlight();
    for (let count = 0; count < 3; count += 1) inFlight.enter();
    const call = { service: 'prices', version: '1', method: 'again', payloadJson: '1', timeoutMs: 30_000, idempotent: true };
    const turn = inFlight.turn(new Outbound(call), 1);
    inFlight.leave();
    inFlight.leave();
    expect(inFlight).toMatchObject({ count: 1, waiting: 1 });
    inFlight.leave();
    expect(await turn).toBe(true);
    expect(inFlight).toMatchObject({ count: 1, waiting: 0 });
  });

  it('counts a call that fails no longer', async () => {
    const caller = await ground.start();
    const { prices }: { prices: PricesApi } = client(caller, { maxInFlight: 1 });
    for (let turn = 0; turn < 3; turn += 1) expect(await failureOf(prices.again({}))).toMatchObject({ code: 'NO_INSTANCE' });
  });
});
