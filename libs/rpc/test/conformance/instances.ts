import { afterEach, expect, it } from '@jest/globals';
import { RedisFailure } from '@millrace/redis';
import { instanceKey, registryKeys, requestsKey, type RpcRequest, SERVERS } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { InstanceChild } from '../instance-child.js';
import { methodsWith } from '../methods.js';
import { call, failureOf, gate, serve, SERVICE, untilAborted } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';
import { LEASE_MS, type SiteGround } from '../site-ground.js';

export function instancesComeAndGo(ground: SiteGround): void {
  const children: InstanceChild[] = [];
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const consumers = async (): Promise<unknown[]> => (await ground.near(stream(), 'XINFO', 'CONSUMERS', stream(), SERVERS)) as unknown[];

  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function startChild(plan: { concurrency: number; workMs: number }): Promise<InstanceChild> {
    const child = new InstanceChild({ target: ground.target, prefix: ground.prefix, leaseMs: LEASE_MS, ...plan });
    children.push(child);
    return child.serving();
  }

  function sees({ rpc }: RpcProcess, members: readonly string[]): Promise<unknown> {
    const agree = (): boolean => {
      expect(rpc.instances.instances(SERVICE).map(({ member }) => member)).toEqual([...members].sort());
      return true;
    };
    return waitFor(agree, { what: 'the instances to be known', timeoutMs: 20_000 });
  }

  it('are seen to join and leave by each process', async () => {
    const [one, other, caller] = [await ground.start(), await ground.start(), await ground.start()];
    const first = await serve(one, { echo: async () => null });
    await caller.rpc.instances.use(SERVICE.service);
    await sees(caller, [first.member]);
    const second = await serve(other, { echo: async () => null });
    await sees(caller, [first.member, second.member]);
    await first.stop(1_000);
    await sees(caller, [second.member]);
    expect(await ground.on(registryKeys(ground.prefix).instances, 'HLEN')).toBe(1);
  });

  it('that are killed leave their requests to others, and their entries to nobody', async () => {
    const [caller, child] = [await ground.start(), await startChild({ concurrency: 16, workMs: 60_000 })];
    const codeOf = (error: unknown): string => (error as { code: string }).code;
    const calls = [1, 2, 3, 4].flatMap((value) => [
      call(caller, 'again', { payloadJson: `${value}`, timeoutMs: 30_000 }),
      call(caller, 'once', { payloadJson: `${value}`, timeoutMs: 30_000, idempotent: false }).catch(codeOf),
    ]);
    const own = failureOf(call(caller, 'again', { instance: child.member, timeoutMs: 30_000 }));
    await child.hasBegun(8);
    await waitFor(() => caller.rpc.callerCounters.sent === 9, { what: 'all to be stored' });
    const other = await ground.start();
    const executed: string[] = [];
    const handle = async ({ payload, method, takenOver }: RpcRequest): Promise<string> => {
      executed.push(method);
      return `${payload}${takenOver}`;
    };
    const { member } = await other.rpc.serve({ ...SERVICE, concurrency: 2, methods: methodsWith(handle) });
    await caller.rpc.instances.use(SERVICE.service);
    await child.kill();
    expect(await Promise.all(calls)).toEqual([1, 2, 3, 4].flatMap((value) => [`${value}true`, 'CALL_INDEFINITE']));
    expect(executed).toEqual(['again', 'again', 'again', 'again']);
    expect((await own).code).toMatch(/^(CALL_INDEFINITE|NO_INSTANCE)$/);
    await waitFor(async () => (await consumers()).length === 1, { what: 'the dead instance to be removed' });
    await waitFor(async () => (await ground.on(instanceKey(ground.prefix, child.member), 'EXISTS')) === 0, { what: 'its stream to be removed' });
    await sees(caller, [member]);
  });

  it('execute what they have taken over though Redis did not say so, also while they are called themselves', async () => {
    const [caller, child] = [await ground.start(), await startChild({ concurrency: 8, workMs: 60_000 })];
    const calls = [1, 2, 3, 4].map((value) => call(caller, 'again', { payloadJson: `${value}`, timeoutMs: 30_000 }));
    await child.hasBegun(4);
    const other = await ground.start();
    const lost = gate();
    const control = other.redis.controlFor(stream());
    const run = control.run.bind(control);
    control.run = async (script, keys, args) => {
      const reply = await run(script, keys, args);
      if (script.name !== 'take-over.lua') return reply;
      control.run = run;
      lost.open();
      throw new RedisFailure('indeterminate', 'as planned', undefined);
    };
    const methods = methodsWith(async ({ payload, takenOver }) => `${payload}${takenOver}`);
    const { member } = await other.rpc.serve({ ...SERVICE, concurrency: 16, methods });
    await child.kill();
    await lost.promise;
    expect(await call(caller, 'again', { payloadJson: '"own"', instance: member })).toBe('"own"false');
    expect(await Promise.all(calls)).toEqual(['1true', '2true', '3true', '4true']);
  });

  it('that stop answer what they have begun, and read nothing more', async () => {
    const [server, caller, other] = [await ground.start(), await ground.start(), await ground.start()];
    const [begun, held] = [gate(), gate()];
    const serving = await serve(server, { hold: () => (begun.open(), held.promise.then(() => '"old"')) });
    const first = call(caller, 'hold');
    await begun.promise;
    const stopping = serving.stop(10_000);
    await serve(other, { hold: async () => '"new"' });
    expect(await call(caller, 'hold')).toBe('"new"');
    held.open();
    expect(await first).toBe('"old"');
    await stopping;
    expect(await ground.on(instanceKey(ground.prefix, serving.member), 'EXISTS')).toBe(0);
  });

  it('that stop in the midst of methods leave them to others at once', async () => {
    const slow = { leaseMs: 3_000 };
    const [server, caller, other] = [await ground.start(slow), await ground.start(), await ground.start(slow)];
    const aborted = gate();
    let begun = 0;
    const methods = methodsWith(untilAborted(() => void (begun += 1), aborted.open));
    const serving = await server.rpc.serve({ ...SERVICE, concurrency: 4, methods });
    const again = call(caller, 'again', { timeoutMs: 30_000 });
    const once = failureOf(call(caller, 'once', { timeoutMs: 30_000, idempotent: false }));
    const own = failureOf(call(caller, 'again', { timeoutMs: 30_000, instance: serving.member }));
    await waitFor(() => begun === 3, { what: 'all to be begun' });
    await other.rpc.serve({ ...SERVICE, concurrency: 4, methods: methodsWith(async ({ takenOver }) => `${takenOver}`) });
    await serving.stop(50);
    await aborted.promise;
    expect(await again).toBe('true');
    expect(await once).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(await own).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(server.rpc.serverCounters).toMatchObject({ answered: 0, inFlight: 0 });
  });
}
