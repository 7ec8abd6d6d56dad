import { describe, expect, it } from '@jest/globals';
import { type CallContext, contractOf, methodPipeline, type MethodName, RemoteMethod, type RemoteMethodOf } from '@millrace/rpc';
import { failureOf, gate, RpcGround } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';
import { thrownBy } from '../thrown.js';
import { Payments, PaymentsApi } from './payments.js';

interface Request {
  readonly orderId: string;
  readonly cents: number;
}

describe('one method of a service', () => {
  const ground = new RpcGround('remote-method');
  const request = { orderId: '7', cents: 100 };

  async function serving(payments = new Payments()): Promise<{ server: RpcProcess; member: string }> {
    const server = await ground.start();
    const contract = contractOf(PaymentsApi);
    const methods = new Map([...contract.methods.values()].map((method) => {
      const call = payments[method.name as 'charge'].bind(payments);
      const handle = (given: unknown, context: CallContext): Promise<unknown> => call(given as Request, context);
      return [method.name, methodPipeline({ contract, method, handle })];
    }));
    const { service, version } = contract;
    const { member } = await server.rpc.serve({ service, version, concurrency: 4, methods });
    return { server, member };
  }

  function method<M extends MethodName<PaymentsApi>>({ rpc }: RpcProcess, name: M): RemoteMethodOf<PaymentsApi, M> {
    return new RemoteMethod(PaymentsApi, name, { port: async () => rpc });
  }

  it('is started, and its valid result is fetched by the id in another process', async () => {
    const { server } = await serving();
    const caller = await ground.start();
    const started = await method(caller, 'charge').start(request, { id: 'charge-7', timeout: '1h', headers: { tenant: 'acme' } });
    expect(started.id).toBe('charge-7');
    const handle = method(server, 'charge').handle('charge-7');
    expect(await handle.result({ timeout: '10s' })).toEqual({ chargeId: 'c-7' });
    await handle.forget();
    expect(await failureOf(started.result())).toMatchObject({ code: 'UNKNOWN_CALL' });
    const pinged = await method(caller, 'ping').start();
    await pinged.result();
  });

  it('refuses what it cannot start: a request, options, a one-way method, and a method that is not there', async () => {
    await serving();
    const caller = await ground.start();
    const charge = method(caller, 'charge');
    expect(await failureOf(charge.start({ orderId: '7' } as never))).toMatchObject({ code: 'INVALID_PAYLOAD' });
    expect(await failureOf(charge.start(request, { id: 'a:b' }))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(await failureOf(charge.start(request, { timeout: '2d' }))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(await failureOf(charge.handle('none').result({ timeout: 5 as never }))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(await failureOf(method(caller, 'note').start(request))).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('one-way') });
    expect(thrownBy(() => method(caller, 'chrage' as 'charge'))).toMatchObject({ code: 'UNKNOWN_METHOD', message: expect.stringContaining('charge') });
    expect(caller.rpc.callerCounters.sent).toBe(0);
  });

  it('refuses a result that is not valid', async () => {
    const payments = new Payments();
    const { server } = await serving();
    const caller = await ground.start();
    await server.rpc.serve({
      service: 'other', version: '1', concurrency: 1, methods: new Map([['charge', { idempotent: true, handle: async () => '{"chargeId":7}' }]]),
    });
    const id = await caller.rpc.start({ service: 'other', version: '1', method: 'charge', payloadJson: '1', timeoutMs: 5_000, idempotent: true });
    expect(await caller.rpc.result({ service: 'other', version: '1', method: 'charge', id }, { timeoutMs: 10_000 })).toBe('{"chargeId":7}');
    expect(await failureOf(method(caller, 'charge').handle(id).result())).toMatchObject({ code: 'INVALID_INPUT' });
    expect(payments.calls).toEqual([]);
  });

  it('is called in every instance, and each answers or fails for itself', async () => {
    const failing = new Payments();
    failing.doCharge = () => Promise.reject(new Error('broken'));
    const [good, bad, other] = [await serving(), await serving(failing), await serving()];
    const caller = await ground.start();
    const answers = await method(caller, 'charge').broadcast(request);
    const expected = [good, bad, other].map(({ member }) =>
      member === bad.member
        ? { instance: member, status: 'rejected', reason: expect.objectContaining({ code: 'REMOTE_FAILED' }) }
        : { instance: member, status: 'fulfilled', value: { chargeId: 'c-7' } });
    expect(answers).toEqual(expected.sort((one, two) => (one.instance < two.instance ? -1 : 1)));
    expect(failing.calls).toHaveLength(1);
  });

  it('is called in those that take calls alone: one that stops is left out, and none at all is an error', async () => {
    const [staying, leaving] = [await serving(), await serving()];
    const caller = await ground.start();
    expect(await method(caller, 'ping').broadcast()).toHaveLength(2);
    await leaving.server.stop();
    const answers = await method(caller, 'ping').broadcast(undefined, { timeout: '10s' });
    expect(answers).toEqual([{ instance: staying.member, status: 'fulfilled', value: undefined }]);
    await staying.server.stop();
    expect(await failureOf(method(caller, 'ping').broadcast())).toMatchObject({ code: 'NO_INSTANCE' });
  });

  it('gives up the instances that do not answer when its signal aborts', async () => {
    const [hanging, begun] = [new Payments(), gate()];
    hanging.doCharge = (_, { signal }) => {
      begun.open();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve({ chargeId: 'late' })));
    };
    const [quick, slow] = [await serving(), await serving(hanging)];
    const caller = await ground.start();
    const abort = new AbortController();
    const broadcasting = method(caller, 'charge').broadcast(request, { signal: abort.signal });
    await begun.promise;
    abort.abort();
    const answers = new Map((await broadcasting).map((answer) => [answer.instance, answer.status]));
    expect(answers.get(slow.member)).toBe('rejected');
    expect(answers.has(quick.member)).toBe(true);
  });
});
