import { describe, expect, it } from '@jest/globals';
import type { MillraceError } from '@millrace/core';
import { Balancer, type CallPort, RpcClientOptions, rpcClient } from '@millrace/rpc';
import { failureOf } from '../rpc-ground.js';
import { thrownBy } from '../thrown.js';
import { PricesApi } from './prices.js';

async function* noItems(): AsyncGenerator<string> {
  // A port that gives none.
}

const calls: CallPort = { call: () => Promise.resolve('{"by":"x"}'), stream: noItems };
const balancer = new Balancer({ use: () => Promise.resolve(), instances: () => [] });
const refused = (options: RpcClientOptions) => thrownBy(() => rpcClient(PricesApi, { calls, balancer, options }));

describe('the options of a client', () => {
  it('are refused with every problem', () => {
    const error = refused({
      balance: 'round-robbin', maxInFlight: 0, retries: 99, circuit: { calls: 4, minimumCalls: 9, openfor: '1s' },
      routes: [{ tag: 'canary', shares: 5 }, { version: 'a b' }],
      methods: { agin: {}, once: { attemptTimeout: '0ms', failure: 'fail-over' } },
    } as never) as MillraceError;
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining("The client of service 'prices' is not configured well.") });
    expect(error.problems).toEqual([
      "balance 'round-robbin' is not known: did you mean 'round-robin'?",
      'maxInFlight must not be less than 1',
      'retries must not be greater than 10',
      "circuit: option 'openfor' is not known: did you mean 'openFor'?",
      "routes[0]: option 'shares' is not known: did you mean 'share'?",
      expect.stringContaining('routes[1]: version must be the name of a version'),
      "methods: method 'agin' is not known: did you mean 'again'?",
      "retries and attemptTimeout are for failure: 'fail-over' alone",
      expect.stringContaining('methods.once: attemptTimeout must be a duration'),
    ]);
  });

  it.each([
    [{ tag: 'a', routes: [{ share: 1 }] }, 'tag and routes exclude each other'],
    [{ tag: 'a', balance: 'pull' }, "balance: 'pull' lets any instance take a call"],
    [{ routes: [{ tag: 'a' }], balance: 'pull' }, "balance: 'pull' lets any instance take a call"],
    [{ routes: [] }, 'routes must have 1 to 16 routes'],
    [{ routes: [{ tag: 'a' }, { tag: 'a' }] }, 'two of them lead to the same instances'],
    [{ maxQueued: 1 }, 'maxQueued is for maxInFlight alone'],
    [{ strict: true }, 'strict is for tag or routes alone'],
    [{ failure: 'fail-safe' }, "'fail-safe' is for methods without an answer, and 'again' has one"],
    [{ methods: { once: { failure: 'fail-safe' } } }, "'once' has one"],
    [{ circuit: { calls: 4, minimumCalls: 5 } }, 'circuit: minimumCalls must not be greater than calls, which is 4'],
    [{ circuit: 7 }, 'circuit'],
    [{ methods: { once: 7 } }, 'methods.once: the options must be an object'],
    [{ key: 'x' }, 'key must be a function'],
    [null, 'the options must be an object'],
  ])('%j are refused', (options, text) => {
    expect(refused(options as never)).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(text) });
  });

  it('need a balancer, which no client has without them', () => {
    expect(thrownBy(() => rpcClient(PricesApi, { calls, options: {} }))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(rpcClient(PricesApi, { calls })).toBeInstanceOf(PricesApi);
  });

  it('make a client ask for the instances of its service once', async () => {
    const asked: string[] = [];
    const port = { use: (service: string) => (asked.push(service), Promise.resolve()), instances: () => [] };
    const prices = rpcClient(PricesApi, { calls, balancer: new Balancer(port), options: { balance: 'random' } });
    await Promise.all([prices.again({}), prices.again({})]);
    await prices.again({});
    expect(asked).toEqual(['prices']);
  });

  it.each([
    ['a number', () => 7, "the function 'key' of its client gave a number: return text"],
    ['null', () => null, 'gave null or an object'],
    ['a promise', async () => 'x', 'gave null or an object'],
    ['an error', (): string => { throw new Error('no order'); }, "the function 'key' of its client threw: no order"],
  ])('refuse a call for which their function makes %s in place of a key, and hold nothing for it', async (_, key, text) => {
    const options = { balance: 'key', key: key as () => string, maxInFlight: 1 } as const;
    const prices = rpcClient(PricesApi, { calls, balancer, options });
    expect(await failureOf(prices.again({}))).toMatchObject({
      code: 'INVALID_INPUT', message: expect.stringMatching(new RegExp(`^prices.again\\(\\) was not sent: .*${text}`)),
    });
    expect(await prices.again({}, { key: 'x' })).toEqual({ by: 'x' });
    expect(balancer.inFlightOf('prices').count).toBe(0);
  });

  it('are not needed for the instance of one call', async () => {
    const sent: unknown[] = [];
    const port: CallPort = { call: (call) => (sent.push(call), Promise.resolve('{"by":"x"}')), stream: noItems };
    await rpcClient(PricesApi, { calls: port }).again({}, { instance: 'a-1', key: 'k' });
    expect(sent).toEqual([expect.objectContaining({ instance: 'a-1', key: 'k' })]);
  });
});
