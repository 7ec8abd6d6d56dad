import { describe, expect, it } from '@jest/globals';
import { currentTrace, type EndedCall, listen, withTraceContext } from '@millrace/core';
import { localClient, methodPipeline, RemoteMethod, type RemoteMethodOf, rpcClient, contractOf, RpcContract, type ServedMethod } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { gate, RpcGround } from '../rpc-ground.js';
import { Price, Prices, PricesApi, WatchRequest } from './prices.js';

const request = { symbol: 'A' };
const ground = new RpcGround('streamed-client');

interface Bound {
  readonly prices: Prices;
  readonly client: PricesApi;
}

function local(): Promise<Bound> {
  const prices = new Prices();
  return Promise.resolve({ prices, client: localClient(PricesApi, prices) });
}

async function remote(): Promise<Bound> {
  const prices = new Prices();
  const [server, caller] = [await ground.start(), await ground.start()];
  const contract = contractOf(PricesApi);
  const methods = new Map<string, ServedMethod>([...contract.methods.values()].map((method) => {
    const handle = async (given: object | undefined, context: never): Promise<unknown> =>
      method.name === 'all' ? prices.all() : prices.watch(given as WatchRequest, context);
    return [method.name, methodPipeline({ contract, method, unknownProperties: undefined, handle: handle as never })];
  }));
  await server.rpc.serve({ service: 'prices', version: '1', concurrency: 4, methods });
  return { prices, client: rpcClient(PricesApi, { calls: caller.rpc }) };
}

async function cents(items: AsyncIterable<Price>): Promise<number[]> {
  const found: number[] = [];
  for await (const item of items) found.push(item.cents);
  return found;
}

async function endOf(items: AsyncIterable<Price>): Promise<{ items: unknown[]; error: unknown }> {
  const found: unknown[] = [];
  try {
    for await (const item of items) found.push(item);
  } catch (error) {
    return { items: found, error };
  }
  return { items: found, error: null };
}

describe.each([['local', local], ['remote', remote]] as const)('a streamed method of a %s client', (_, bind) => {
  it('gives instances of the class of its items, and gets one of that of its request', async () => {
    const { prices, client } = await bind();
    let given: unknown;
    prices.doWatch = (each) => ((given = each), prices.all());
    const found: Price[] = [];
    for await (const price of client.watch(request)) found.push(price);
    expect(found).toEqual([{ cents: 0 }, { cents: 1 }, { cents: 2 }]);
    for (const price of found) expect(price).toBeInstanceOf(Price);
    expect(given).toBeInstanceOf(WatchRequest);
    expect(await cents(client.all())).toEqual([0, 1, 2]);
  });

  it('tells observers when it has ended, failed, or was left', async () => {
    const { prices, client } = await bind();
    const codes: EndedCall['code'][] = [];
    const stop = listen('called', ({ code }) => codes.push(code));
    try {
      await cents(client.all());
      prices.doWatch = () => Promise.reject(new RangeError('as planned'));
      await endOf(client.watch(request));
      for await (const { cents: first } of client.all()) if (first === 0) break;
      await waitFor(() => codes.length === 3, { what: 'all to be told', timeoutMs: 30_000 });
    } finally {
      stop();
    }
    expect(codes).toEqual([null, 'REMOTE_FAILED', null]);
  });

  it('may return a promise of its items', async () => {
    const { prices, client } = await bind();
    prices.doWatch = () => Promise.resolve(prices.all());
    expect(await cents(client.watch(request))).toEqual([0, 1, 2]);
  });

  it('is not called before its first item is asked for, and is a window ahead at most', async () => {
    const { prices, client } = await bind();
    let made = 0;
    let closed = false;
    prices.doWatch = async function* () {
      try {
        for (;;) yield { cents: (made += 1) };
      } finally {
        closed = true;
      }
    };
    const items = client.watch(request)[Symbol.asyncIterator]();
    expect(made).toBe(0);
    for (let taken = 1; taken <= 30; taken += 1) {
      expect(await items.next()).toEqual({ done: false, value: { cents: taken } });
      await new Promise((resolve) => setImmediate(resolve));
      expect(made).toBeLessThanOrEqual(taken + 8);
    }
    await waitFor(() => made >= 34, { what: 'the method to be ahead' });
    await items.return!();
    await waitFor(() => closed, { what: 'the method to be closed' });
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  it('does not run a method whose items are left before it has returned them', async () => {
    const { prices, client } = await bind();
    const go = gate();
    let [signal, hasRun] = [null as AbortSignal | null, false];
    prices.doWatch = async (__, context) => {
      signal = context.signal;
      await go.promise;
      return (async function* () {
        hasRun = true;
        yield { cents: 1 };
      })();
    };
    const items = client.watch(request)[Symbol.asyncIterator]();
    const first = items.next();
    await waitFor(() => signal !== null, { what: 'the method to be called' });
    await items.return!();
    expect(await first).toEqual({ done: true, value: undefined });
    await waitFor(() => signal!.aborted, { what: 'the method to be told' });
    go.open();
    expect(await cents(client.all())).toEqual([0, 1, 2]);
    expect(hasRun).toBe(false);
  });

  it('refuses an item that is not valid, behind those that are, and closes the method', async () => {
    const { prices, client } = await bind();
    let closed = false;
    prices.doWatch = async function* () {
      try {
        yield { cents: 1 };
        yield { cents: 'many' };
        yield { cents: 3 };
      } finally {
        closed = true;
      }
    };
    const { items, error } = await endOf(client.watch(request));
    expect(items).toEqual([{ cents: 1 }]);
    expect(error).toMatchObject({ code: 'INVALID_PAYLOAD', message: expect.stringContaining('item of prices.watch()') });
    await waitFor(() => closed, { what: 'the method to be closed' });
  });

  it.each([
    ['one answer', () => ({ cents: 1 })], ['nothing', () => undefined], ['an Observable', () => ({ subscribe: () => undefined })],
    ['an array', () => [{ cents: 1 }]],
  ])('refuses %s in the place of a stream', async (__, returned) => {
    const { prices, client } = await bind();
    prices.doWatch = returned;
    const { items, error } = await endOf(client.watch(request));
    expect(items).toEqual([]);
    expect(error).toMatchObject({ code: 'INVALID_PAYLOAD', message: expect.stringContaining('returned no stream') });
  });

  it('gives what the method throws as an error of the service, before and after items', async () => {
    const { prices, client } = await bind();
    const failure = Object.assign(new Error('closed for today'), { code: 'CLOSED' });
    prices.doWatch = () => {
      throw failure;
    };
    expect(await endOf(client.watch(request))).toMatchObject({ items: [], error: { code: 'REMOTE_FAILED', remote: { code: 'CLOSED' } } });
    prices.doWatch = async function* () {
      yield* prices.all();
      throw failure;
    };
    expect(await endOf(client.watch(request))).toMatchObject({ items: [{}, {}, {}], error: { code: 'REMOTE_FAILED', remote: { code: 'CLOSED' } } });
  });

  it('throws for its first item what is wrong with its request or its options', async () => {
    const { prices, client } = await bind();
    let called = false;
    prices.doWatch = () => (called = true);
    const codeOf = async (items: AsyncIterable<Price>): Promise<unknown> => ((await endOf(items)).error as { code: string }).code;
    expect(await codeOf(client.watch({ symbol: 7 } as never))).toBe('INVALID_PAYLOAD');
    expect(await codeOf(client.watch(request, { requestId: 'a' }))).toBe('INVALID_OPTIONS');
    expect(await codeOf(client.watch(request, { timeout: '2d' }))).toBe('INVALID_OPTIONS');
    expect(await codeOf((client.all as (given: unknown) => AsyncIterable<Price>)({}))).toBe('INVALID_INPUT');
    expect(await codeOf(client.watch(request, { signal: AbortSignal.abort() }))).toBe('CALL_CANCELLED');
    expect(called).toBe(false);
  });

  it('is iterated over once: a second loop says so', async () => {
    const { prices, client } = await bind();
    prices.doWatch = async function* () {
      yield { cents: 1 };
    };
    const items = client.watch(request);
    expect(await endOf(items)).toMatchObject({ error: null });
    expect(() => items[Symbol.asyncIterator]()).toThrow('The stream has ended');
    const left = client.watch(request);
    for await (const price of left) {
      expect(price).toEqual({ cents: 1 });
      break;
    }
    expect(() => left[Symbol.asyncIterator]()).toThrow('The stream has ended');
  });

  it('has ended once it has thrown what is wrong with its request', async () => {
    const { client } = await bind();
    const items = client.watch({ symbol: 7 } as never)[Symbol.asyncIterator]();
    await expect(items.next()).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
    expect(await items.return!()).toEqual({ done: true, value: undefined });
    const others = client.watch({ symbol: 7 } as never)[Symbol.asyncIterator]();
    await expect(others.next()).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
    expect(await others.next()).toEqual({ done: true, value: undefined });
  });

  it('ends by its timeout and by the signal of its caller, and so does the method', async () => {
    const { prices, client } = await bind();
    let aborted = 0;
    prices.doWatch = async function* (__, { signal }) {
      yield { cents: 1 };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted += 1;
    };
    expect(await endOf(client.watch(request, { timeout: '2s' }))).toMatchObject({ error: { code: 'CALL_TIMEOUT' } });
    const control = new AbortController();
    const items = client.watch(request, { signal: control.signal })[Symbol.asyncIterator]();
    await items.next();
    control.abort();
    await expect(items.next()).rejects.toMatchObject({ code: 'CALL_CANCELLED' });
    await waitFor(() => aborted === 2, { what: 'both methods to end' });
  });

  it('runs in the trace of its caller, in all of its parts', async () => {
    const { prices, client } = await bind();
    const traceparent = `00-${'1'.repeat(32)}-00f067aa0ba902b7-01`;
    const traces: unknown[] = [];
    prices.doWatch = async function* () {
      traces.push(currentTrace()?.traceparent);
      yield { cents: 1 };
      traces.push(currentTrace()?.traceparent);
      yield { cents: 2 };
    };
    const items = withTraceContext({ traceparent }, () => client.watch(request, { headers: { tenant: 'a' } }));
    expect(await cents(items)).toEqual([1, 2]);
    expect(traces).toEqual([traceparent, traceparent]);
  });
});

describe('the digest of a streamed method', () => {
  it('is another one than that of a method without an answer', () => {
    const contract = contractOf(PricesApi);
    const watch = contract.methods.get('watch')!;
    const digestOf = (items: typeof Price | null): string | undefined =>
      methodPipeline({ contract, method: { ...watch, items }, handle: () => Promise.resolve(undefined) }).digest;
    expect(digestOf(Price)).toBe('request/items');
    expect(digestOf(null)).not.toBe(digestOf(Price));
  });
});

describe('an item that comes from elsewhere', () => {
  it('is refused by the caller when it is not valid, and ends the call', async () => {
    let left = false;
    const texts = async function* (): AsyncGenerator<string> {
      try {
        yield '{"cents":1}';
        yield '{"cents":"x"}';
        yield 'no json';
      } finally {
        left = true;
      }
    };
    const client = rpcClient(PricesApi, { calls: { call: () => Promise.resolve(null), stream: texts } });
    expect(await endOf(client.watch(request))).toMatchObject({ items: [{ cents: 1 }], error: { code: 'INVALID_PAYLOAD' } });
    expect(left).toBe(true);
  });
});

/** The compiler is the test: `@ts-expect-error` is an error itself where the line below it compiles. */
describe('the types of a contract', () => {
  it('tell streamed methods from others', () => {
    class Other {
      @Reflect.metadata('none', null) name!: string;
    }
    // @ts-expect-error the items are of another class
    expect(() => RpcContract<PricesApi>('prices', { watch: { input: WatchRequest, items: Other }, all: { items: Price } })).toBeDefined();
    // @ts-expect-error a streamed method has items
    expect(() => RpcContract<PricesApi>('prices', { watch: { input: WatchRequest, output: Price }, all: { items: Price } })).toBeDefined();
    // @ts-expect-error it has no answer beside them
    expect(() => RpcContract<PricesApi>('prices', { watch: { input: WatchRequest, items: Price, output: Price }, all: { items: Price } })).toBeDefined();
    // @ts-expect-error it cannot be one-way
    expect(() => RpcContract<PricesApi>('prices', { watch: { input: WatchRequest, items: Price, oneWay: true }, all: { items: Price } })).toBeDefined();
    // @ts-expect-error its implementation gives a stream
    expect(() => localClient(PricesApi, { watch: () => ({ cents: 1 }), all: () => new Prices().all() })).toBeDefined();
    // @ts-expect-error and items of the class
    expect(() => localClient(PricesApi, { async *watch() { yield { cents: 'x' }; }, all: () => new Prices().all() })).toBeDefined();
    const port = (): Promise<never> => Promise.reject(new Error('none is needed'));
    // @ts-expect-error its items are not kept or gathered
    const method: RemoteMethodOf<PricesApi, 'watch'> = new RemoteMethod(PricesApi, 'watch', { port });
    expect(method).toBeDefined();
    expect(() => localClient(PricesApi, { async *watch() { yield { cents: 1 }; }, all: () => new Prices().all() })).toBeDefined();
  });
});
