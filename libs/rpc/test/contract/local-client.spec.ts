import { describe, expect, it } from '@jest/globals';
import { currentTrace, type EndedCall, listen, withTraceContext } from '@millrace/core';
import { CallContext, localClient } from '@millrace/rpc';
import { thrownBy } from '../thrown.js';
import { ChargeRequest, ChargeResult, Payments, PaymentsApi } from './payments.js';

const order = { orderId: 'o1', cents: 500 };

function bound(): { payments: Payments; client: PaymentsApi } {
  const payments = new Payments();
  return { payments, client: localClient(PaymentsApi, payments) };
}

describe('a client of a local implementation', () => {
  it('calls it with an instance of the request, and gives an instance of the answer', async () => {
    const { payments, client } = bound();
    const answer = await client.charge(order);
    expect(client).toBeInstanceOf(PaymentsApi);
    expect(answer).toBeInstanceOf(ChargeResult);
    expect(answer).toEqual({ chargeId: 'c-o1' });
    const [[, request, context]] = payments.calls as [[string, ChargeRequest, CallContext]];
    expect(request).toBeInstanceOf(ChargeRequest);
    expect(context).toBeInstanceOf(CallContext);
    expect(context).toMatchObject({ service: 'payments', version: '1', method: 'charge', takenOver: false });
    expect(context.remainingMs).toBeGreaterThan(0);
  });

  it('takes methods without a request, without an answer, and one-way ones', async () => {
    const { payments, client } = bound();
    await expect(Promise.all([client.ping(), client.note(order)])).resolves.toEqual([undefined, undefined]);
    expect(payments.calls.map(([name, request]) => [name, request])).toEqual([['ping', undefined], ['note', order]]);
  });

  it('refuses a request that is not valid before anything is called', async () => {
    const { payments, client } = bound();
    await expect(client.charge({ orderId: 'o1', cents: 0.5 })).rejects.toMatchObject({
      code: 'INVALID_PAYLOAD', message: expect.stringContaining('payments.charge()'), problems: [expect.stringContaining('cents')],
    });
    await expect(client.charge({ ...order, more: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
    await expect(client.charge(undefined as never)).rejects.toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    await expect((client.ping as (request: unknown) => Promise<void>)({})).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(client.charge(order, { timout: '1s' } as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    const quoting = client.quote(order, { requestId: 'a' });
    await expect(quoting).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('not idempotent') });
    expect(payments.calls).toEqual([]);
  });

  it.each([
    ['an answer that is not valid', { chargeId: 7 }, 'INVALID_PAYLOAD'],
    ['no answer where one is declared', undefined, 'UNSERIALIZABLE_PAYLOAD'],
  ])('refuses %s', async (_, answer, code) => {
    const { payments, client } = bound();
    payments.doCharge = () => answer;
    await expect(client.charge(order)).rejects.toMatchObject({ code, message: expect.stringContaining('answer of payments.charge()') });
  });

  it('refuses a stream where no answer is declared', async () => {
    const { payments, client } = bound();
    payments.ping = () => Promise.resolve({ [Symbol.asyncIterator]: () => undefined } as never);
    await expect(client.ping()).rejects.toMatchObject({ code: 'INVALID_PAYLOAD', message: expect.stringContaining('stream') });
  });

  it('gives what the method throws as an error of the service, with its code and details and without its stack', async () => {
    const { payments, client } = bound();
    payments.doCharge = () => {
      throw Object.assign(new Error('the card was declined'), { code: 'CARD_DECLINED', data: { retryIn: 'a day' } });
    };
    const failure: unknown = await client.charge(order).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'REMOTE_FAILED', name: 'RpcRemoteError', message: expect.stringContaining('the card was declined'),
      remote: { name: 'Error', message: 'the card was declined', code: 'CARD_DECLINED', response: { retryIn: 'a day' } },
    });
    expect((failure as { remote: object }).remote).not.toHaveProperty('stack');
  });

  it('ends by the timeout of the call, and says so to the method', async () => {
    const { payments, client } = bound();
    const aborted = new Promise<unknown>((resolve) => {
      payments.doCharge = (_, { signal }) => new Promise(() => signal.addEventListener('abort', () => resolve(signal.reason)));
    });
    await expect(client.charge(order, { timeout: '20ms' })).rejects.toMatchObject({ code: 'CALL_TIMEOUT', mayHaveRun: true });
    expect(await aborted).toMatchObject({ code: 'CALL_TIMEOUT' });
  });

  it('ends by the signal of the caller, before and after the method has begun', async () => {
    const { payments, client } = bound();
    await expect(client.charge(order, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CALL_CANCELLED' });
    expect(payments.calls).toEqual([]);
    const caller = new AbortController();
    payments.doCharge = () => {
      caller.abort(new Error('not needed'));
      return new Promise(() => undefined);
    };
    await expect(client.charge(order, { signal: caller.signal })).rejects.toMatchObject({
      code: 'CALL_CANCELLED', cause: { message: 'not needed' },
    });
  });

  it('carries the trace of its caller, and headers', async () => {
    const { payments, client } = bound();
    const traceparent = `00-${'1'.repeat(32)}-00f067aa0ba902b7-01`;
    const traces: unknown[] = [];
    payments.doCharge = (_, { trace, headers }) => {
      traces.push(trace, currentTrace(), headers);
      return { chargeId: 'c' };
    };
    await withTraceContext({ traceparent }, () => client.charge(order, { headers: { tenant: 'a' } }));
    const trace = { traceparent, tracestate: null };
    expect(traces).toEqual([trace, trace, { tenant: 'a', traceparent }]);
  });

  it('tells observers of its calls as one over Redis does', async () => {
    const told: EndedCall[] = [];
    const stop = listen('called', (event) => told.push(event));
    try {
      const { payments, client } = bound();
      await client.charge(order);
      payments.doCharge = () => {
        throw new RangeError('as planned');
      };
      await client.charge(order).catch(() => undefined);
      await client.charge(order, { signal: AbortSignal.abort() }).catch(() => undefined);
    } finally {
      stop();
    }
    const call = { service: 'payments', version: '1', method: 'charge', durationMs: expect.any(Number) };
    expect(told).toEqual([{ ...call, code: null }, { ...call, code: 'REMOTE_FAILED' }, { ...call, code: 'CALL_CANCELLED' }]);
    await bound().client.charge(order);
    expect(told).toHaveLength(3);
  });

  it('is refused for an implementation that lacks a method', () => {
    expect(thrownBy(() => localClient(PaymentsApi, { charge: () => undefined } as never))).toMatchObject({
      code: 'CONTRACT_CONFLICT', message: expect.stringContaining("no method 'quote'"),
    });
  });
});
