import { afterEach, describe, expect, it } from '@jest/globals';
import { RedisFailure } from '@millrace/redis';
import { instanceKey, requestsKey, SERVERS, type Serving } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { InstanceChild } from './instance-child.js';
import { methodsWith } from './methods.js';
import { call, failureOf, gate, type Handle, LEASE_MS, RpcGround, SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';

/** The methods that the children have, too. */
function serveBoth({ rpc }: RpcProcess, handle: Handle, concurrency = 16): Promise<Serving> {
  return rpc.serve({ ...SERVICE, concurrency, methods: methodsWith(handle) });
}

describe('an instance that dies', () => {
  const ground = new RpcGround('crashes');
  const children: InstanceChild[] = [];
  const stream = (): string => requestsKey(ground.prefix, SERVICE);
  const consumers = async (): Promise<unknown[]> => (await ground.command('XINFO', 'CONSUMERS', stream(), SERVERS)) as unknown[];

  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function startChild(plan: { concurrency: number; workMs: number }): Promise<InstanceChild> {
    const child = new InstanceChild({ target: ground.target, prefix: ground.prefix, leaseMs: LEASE_MS, ...plan });
    children.push(child);
    return child.serving();
  }

  it('leaves its idempotent requests to others, and of the rest each call learns that it may have run', async () => {
    const [caller, child] = [await ground.start(), await startChild({ concurrency: 8, workMs: 60_000 })];
    const calls = [1, 2, 3, 4].flatMap((value) => [
      call(caller, 'again', { payloadJson: `${value}` }),
      call(caller, 'once', { payloadJson: `${value}`, idempotent: false }).catch((error: unknown) => (error as { code: string }).code),
    ]);
    await child.hasBegun(8);
    const other = await ground.start();
    const executed: string[] = [];
    const handle = async ({ payload, method, takenOver }: { payload: string; method: string; takenOver: boolean }) => {
      executed.push(method);
      return `${payload}${takenOver}`;
    };
    await serveBoth(other, handle, 2);
    await child.kill();
    expect(await Promise.all(calls)).toEqual([1, 2, 3, 4].flatMap((value) => [`${value}true`, 'CALL_INDEFINITE']));
    expect(executed).toEqual(['again', 'again', 'again', 'again']);
    expect(other.rpc.serverCounters).toMatchObject({ takenOver: 8, indefinite: 4 });
    await waitFor(async () => (await consumers()).length === 1, { what: 'the dead instance to be removed' });
    expect(caller.rpc.callerCounters).toMatchObject({ answered: 4, failed: 4, lateAnswers: 0 });
  });

  it('answers nothing that was for it alone: each call learns whether it may have run', async () => {
    const [caller, other] = [await ground.start(), await ground.start()];
    const child = await startChild({ concurrency: 1, workMs: 60_000 });
    await serveBoth(other, async () => '"wrong"');
    const options = { instance: child.member };
    const calls = [failureOf(call(caller, 'again', options)), failureOf(call(caller, 'again', options))];
    await child.hasBegun(1);
    await waitFor(() => caller.rpc.callerCounters.sent === 2, { what: 'both to be stored' });
    await child.kill();
    expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(['CALL_INDEFINITE', 'NO_INSTANCE']);
    await waitFor(async () => (await ground.command('EXISTS', instanceKey(ground.prefix, child.member))) === 0, { what: 'its stream to be removed' });
    expect(await failureOf(call(caller, 'again', options))).toMatchObject({ code: 'NO_INSTANCE' });
  });

  it('loses no idempotent call while instances are killed one after the other', async () => {
    const caller = await ground.start();
    const others = [await ground.start(), await ground.start()];
    for (const other of others) await serveBoth(other, async ({ payload }) => payload);
    const crowd = await Promise.all(Array.from({ length: 2 }, () => startChild({ concurrency: 4, workMs: 5 })));
    const calls: Promise<string | null>[] = [];
    for (const child of crowd) {
      // The others share a process with the caller and may be first at all requests of a round.
      const hasBegun = (): boolean => {
        for (let value = 0; value < 20; value += 1) calls.push(call(caller, 'again', { payloadJson: `${calls.length}`, timeoutMs: 30_000 }));
        return child.begun.length > 0;
      };
      await waitFor(hasBegun, { what: 'the instance to have begun a request', timeoutMs: 30_000 });
      await child.kill();
    }
    expect(await Promise.all(calls)).toEqual(calls.map((_, value) => `${value}`));
    await waitFor(async () => (await consumers()).length === 2, { what: 'the dead instances to be removed' });
  });

  it('or is frozen until the time of a request is over, never executes it', async () => {
    const [caller, child] = [await ground.start(), await startChild({ concurrency: 4, workMs: 1 })];
    expect(await call(caller, 'again', { payloadJson: '0' })).toBe('0');
    child.signal('SIGSTOP');
    const failures = await Promise.all([1, 2].map((value) => failureOf(call(caller, 'once', { payloadJson: `${value}`, timeoutMs: 300, idempotent: false }))));
    expect(failures.map(({ code }) => code)).toEqual(['CALL_TIMEOUT', 'CALL_TIMEOUT']);
    child.signal('SIGCONT');
    expect(await call(caller, 'again', { payloadJson: '3' })).toBe('3');
    await waitFor(async () => (await ground.command('XLEN', stream())) === 0, { what: 'the requests to be dropped' });
    expect(child.begun).toEqual(['0', '3']);
  });

  it('or is frozen for longer than its lease, executes nothing that others have taken over', async () => {
    const [caller, child, other] = [await ground.start(), await startChild({ concurrency: 4, workMs: 1 }), await ground.start()];
    expect(await call(caller, 'again', { payloadJson: '0' })).toBe('0');
    child.signal('SIGSTOP');
    const calls = [1, 2].map((value) => call(caller, 'again', { payloadJson: `${value}` }));
    await waitFor(async () => heldBy(await consumers(), child.member) === 2, { what: 'the frozen instance to hold both' });
    const begun = gate();
    await serveBoth(other, async ({ payload }) => (begun.open(), payload));
    expect(await Promise.all(calls)).toEqual(['1', '2']);
    await begun.promise;
    child.signal('SIGCONT');
    await waitFor(async () => (await consumers()).length === 2, { what: 'the frozen instance to come back' });
    expect(await call(caller, 'again', { payloadJson: '3', instance: child.member }).catch(() => 'gone')).toMatch(/3|gone/);
    await waitFor(async () => (await call(caller, 'again', { payloadJson: '4', instance: child.member }).catch(() => null)) === '4', { what: 'it to serve again' });
    expect(child.begun).not.toContain('1');
    expect(child.begun).not.toContain('2');
  });

  it('leaves nothing that is executed twice when an instance reads anew while it takes over', async () => {
    const [caller, child] = [await ground.start(), await startChild({ concurrency: 4, workMs: 60_000 })];
    const calling = failureOf(call(caller, 'once', { payloadJson: '7', timeoutMs: 30_000, idempotent: false }));
    await child.hasBegun(1);
    const server = await ground.start();
    const readers = async (): Promise<string[]> => {
      const lines = String(await ground.command('CLIENT', 'LIST')).split('\n');
      return lines.filter((line) => / cmd=xreadgroup /.test(line)).map((line) => /id=(\d+)/.exec(line)![1]!);
    };
    const control = server.redis.controlFor('');
    const run = control.run.bind(control);
    // The reply of the take-over comes when the reader has read what is pending over a new connection.
    control.run = async (script, keys, args) => {
      const reply = (await run(script, keys, args)) as [string, unknown[]];
      if (script.name !== 'take-over.lua' || reply[1].length === 0) return reply;
      const before = await readers();
      for (const id of before) await ground.command('CLIENT', 'KILL', 'ID', id);
      await waitFor(async () => (await readers()).some((id) => !before.includes(id)), { what: 'the reader to be back' });
      return reply;
    };
    const executed: string[] = [];
    await serveBoth(server, async ({ payload }) => (executed.push(payload), payload));
    await child.kill();
    expect(await calling).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(executed).toEqual([]);
  });

  it('leaves nothing that is executed twice when the one that took over stops before it could answer', async () => {
    const [caller, child] = [await ground.start(), await startChild({ concurrency: 4, workMs: 60_000 })];
    const calling = failureOf(call(caller, 'once', { payloadJson: '7', timeoutMs: 30_000, idempotent: false }));
    await child.hasBegun(1);
    const [server, next] = [await ground.start(), await ground.start()];
    const publish = server.redis.publishFor('');
    const run = publish.run.bind(publish);
    publish.run = (script, keys, args) =>
      script.name.startsWith('answer') ? Promise.reject(new RedisFailure('unsent', 'as planned', undefined)) : run(script, keys, args);
    const executed: string[] = [];
    const handle: Handle = async ({ payload }) => (executed.push(payload), payload);
    const serving = await serveBoth(server, handle);
    await child.kill();
    await waitFor(() => server.rpc.serverCounters.indefinite === 1, { what: 'the request to be taken over' });
    await serving.stop(100);
    await serveBoth(next, handle);
    expect(await calling).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(executed).toEqual([]);
  });
});

/** How many requests a consumer holds, by the reply of XINFO CONSUMERS. */
function heldBy(consumers: unknown[], member: string): number {
  const found = consumers.find((consumer) => (consumer as unknown[])[1] === member) as unknown[] | undefined;
  return Number(found?.[3] ?? 0);
}
