import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { listen } from '@millrace/core';
import { contractOf, methodPipeline } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { PaymentsApi } from './contract/payments.js';
import { call, failureOf, gate, RpcGround, serve, SERVICE } from './rpc-ground.js';

describe('a method that fails', () => {
  const ground = new RpcGround('failures');
  let failures: unknown[] = [];
  let stop: () => void;
  beforeEach(() => {
    failures = [];
    stop = listen('call-failed', (event) => failures.push(event));
  });
  afterEach(() => stop());

  const methods = {
    fail: () => Promise.reject(new TypeError('no price')),
    failAtOnce: () => {
      throw new TypeError('no price');
    },
  };

  it.each([
    ['and rejects', 'fail', true, null],
    ['and throws', 'failAtOnce', true, null],
    ['with a ledger', 'fail', true, undefined],
    ['without being idempotent', 'fail', false, null],
  ])('%s is told of in its process', async (_, method, idempotent, ledgerOf) => {
    const [server, caller] = [await ground.start({ ledgerOf }), await ground.start()];
    await serve(server, methods, { idempotent });
    await failureOf(call(caller, method, { idempotent }));
    const error = expect.objectContaining({ name: 'TypeError', message: 'no price', stack: expect.stringContaining('failures.spec') });
    const [service, id] = [{ service: 'prices', version: '1' }, expect.any(String)];
    expect(failures).toEqual([{ ...service, method, caller: id, requestId: id, isOneWay: false, isReported: false, error }]);
  });

  it('is told of when its call is one-way: nobody else hears of it', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serve(server, methods, { idempotent: false });
    await call(caller, 'fail', { oneWay: true, idempotent: false });
    await waitFor(() => failures.length === 1, { what: 'the failure to be told of' });
    expect(failures).toEqual([expect.objectContaining({ method: 'fail', isOneWay: true })]);
  });

  it('since its caller gave the call up is told of by nobody', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const [begun, giveUp] = [gate(), new AbortController()];
    await serve(server, {
      hang: ({ signal }) => new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('given up')));
        begun.open();
      }),
    });
    const calling = failureOf(call(caller, 'hang', { signal: giveUp.signal }));
    await begun.promise;
    giveUp.abort();
    await calling;
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'the request to be settled' });
    expect(failures).toEqual([]);
  });

  it.each([
    ['is no JSON', '{"orderId":'],
    ['is nested too deeply', '{"cents":1,"orderId":'.repeat(50_000) + '1' + '}'.repeat(50_000)],
  ])('is not called with a request that %s: its caller is told so', async (_, payloadJson) => {
    const options = { maxPayloadBytes: 16 * 1024 * 1024 };
    const [server, caller] = [await ground.start(options), await ground.start(options)];
    const contract = contractOf(PaymentsApi);
    const called: unknown[] = [];
    const method = { ...contract.methods.get('charge')!, idempotent: true };
    const charge = methodPipeline({ contract, method, handle: async (request) => (called.push(request), { chargeId: 'c1' }) });
    await server.rpc.serve({ ...SERVICE, concurrency: 1, methods: new Map([['charge', charge]]) });
    const failure = await failureOf(call(caller, 'charge', { payloadJson }));
    expect(failure).toMatchObject({ code: 'INVALID_PAYLOAD', message: expect.stringContaining('request of payments.charge()') });
    expect(called).toEqual([]);
  });
});
