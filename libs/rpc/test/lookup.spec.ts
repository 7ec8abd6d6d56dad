import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { call, failureOf, gate, RpcGround, serve, SERVICE } from './rpc-ground.js';

const nothing = new Map([['m', { idempotent: true, handle: async (): Promise<null> => null }]]);

describe('a service that a process calls for the first time', () => {
  const ground = new RpcGround('lookup');
  const target = { ...SERVICE, service: 'other', method: 'm', payloadJson: '1', idempotent: true };

  it('is found as soon as it is served, though an earlier call is told at that moment that nobody serves it', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const control = caller.redis.controlFor('');
    const run = control.run.bind(control);
    const [asked, told] = [gate(), gate()];
    // The first look-up has its answer when the service is not served yet, and the caller hears of it when it is.
    control.run = async (script, keys, args) => {
      const reply = await run(script, keys, args);
      if (script.name !== 'read-instances.lua' || !args.includes('other')) return reply;
      asked.open();
      await told.promise;
      return reply;
    };
    const early = failureOf(caller.rpc.call({ ...target, timeoutMs: 30_000 }));
    await asked.promise;
    control.run = run;
    await server.rpc.serve({ service: 'other', version: '1', concurrency: 64, methods: nothing });
    expect(await caller.rpc.call({ ...target, timeoutMs: 30_000 })).toBeNull();
    told.open();
    expect(await early).toMatchObject({ code: 'NO_INSTANCE' });
  });

  it('is looked up within the deadline of the call, which its signal ends, too', async () => {
    const server = await ground.start();
    await serve(server, { echo: async ({ payload }) => payload });
    const { process: caller, proxy } = await ground.startBehindProxy();
    await call(caller, 'echo');
    proxy.blackHole();
    const abort = new AbortController();
    const cancelled = failureOf(caller.rpc.call({ ...target, timeoutMs: 60_000, signal: abort.signal }));
    const late = failureOf(caller.rpc.call({ ...target, timeoutMs: 100 }));
    expect(caller.rpc.callerCounters.inFlight).toBe(2);
    abort.abort();
    expect(await cancelled).toMatchObject({ code: 'CALL_CANCELLED', message: expect.stringContaining('It was not sent') });
    expect(await late).toMatchObject({ code: 'CALL_TIMEOUT', mayHaveRun: false, message: expect.stringContaining('within 100 ms') });
    await proxy.pass();
  });

  it('is there again after Redis has lost everything, before its instances beat or look for themselves', async () => {
    const server = await ground.start({ registryPollMs: 3_600_000, leaseMs: 3_600_000 });
    await serve(server, { echo: async ({ payload }) => payload });
    await waitFor(() => server.rpc.instances.staleForMs === 0, { what: 'the first look of the instance' });
    await ground.command('FLUSHALL');
    const caller = await ground.start();
    await waitFor(async () => (await call(caller, 'echo', { timeoutMs: 500 }).catch(() => null)) === '1', { what: 'the service to be found' });
  });
});
