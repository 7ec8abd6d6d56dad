import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { requestsKey } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { InstanceChild } from './instance-child.js';
import { methodsWith } from './methods.js';
import { call, RpcGround, SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';

const CALLS = 10_000;
/** Far longer than all calls take together. */
const PATIENT_MS = 50_000;
const IMPATIENT_MS = 100;

/** This process makes all calls at once, which takes it a while on a busy machine: it must not count as dead meanwhile. */
const LONG_LEASE_MS = 20_000;
/** Requests of killed instances are taken over when their leases are over. */
const SHORT_LEASE_MS = 1_000;
/** The number of a call that simply succeeds. */
const FIRST = 4;

type Outcome = { readonly value: string | null } | { readonly code: string };

function outcomeOf(calling: Promise<string | null>): Promise<Outcome> {
  return calling.then((value) => ({ value }), (error: unknown) => ({ code: (error as { code: string }).code }));
}

/** 10 % are slow, 5 % fail, 15 % are not idempotent; a quarter of the slow ones is given up early. */
function methodOf(index: number): string {
  if (index % 10 === 5) return 'slow';
  if (index % 20 === 0) return 'fail';
  return index % 20 < 4 ? 'once' : 'again';
}

function isImpatient(index: number): boolean {
  return index % 40 === 15;
}

describe(`${CALLS} calls that are in flight at once, while instances join and leave`, () => {
  const ground = new RpcGround('storm');
  const children: InstanceChild[] = [];
  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function join(leaseMs: number): Promise<InstanceChild> {
    const plan = { target: ground.target, prefix: ground.prefix, leaseMs };
    const child = new InstanceChild({ ...plan, concurrency: 64, workMs: 1 });
    children.push(child);
    return child.serving();
  }

  function makeCall(caller: RpcProcess, index: number): Promise<Outcome> {
    const method = methodOf(index);
    const timeoutMs = isImpatient(index) ? IMPATIENT_MS : PATIENT_MS;
    return outcomeOf(call(caller, method, { payloadJson: `${index}`, idempotent: method !== 'once', timeoutMs }));
  }

  /** The only right outcome of a call, or the given one where several are right. */
  function expected(index: number, outcome: Outcome, mayBeIndefinite: boolean): Outcome {
    const method = methodOf(index);
    if (method === 'fail') return { code: 'REMOTE_FAILED' };
    if ('code' in outcome && isImpatient(index)) return { code: 'CALL_TIMEOUT' };
    if ('code' in outcome && method === 'once' && mayBeIndefinite) return { code: 'CALL_INDEFINITE' };
    return { value: `${index}` };
  }

  it.each([
    ['as they should', false],
    ['as they are killed', true],
  ])('settle once each when those leave %s, and the counters agree', async (_, isKilled) => {
    const leaseMs = isKilled ? SHORT_LEASE_MS : LONG_LEASE_MS;
    const [server, caller] = [await ground.start({ leaseMs }), await ground.start({ leaseMs })];
    const own = async ({ payload }: { payload: string }): Promise<string> => payload;
    const slow = async ({ payload }: { payload: string }): Promise<string> => setTimeout(100, payload);
    await server.rpc.serve({ ...SERVICE, concurrency: 64, methods: methodsWith(own, slow) });
    const leaving = await Promise.all([join(leaseMs), join(leaseMs)]);
    // The service is known, and the inbox is there: all others are sent as they are made.
    await caller.rpc.instances.use(SERVICE.service);
    await makeCall(caller, FIRST);
    const calls = Array.from({ length: CALLS }, (_, index) => makeCall(caller, index));
    expect(caller.rpc.callerCounters.inFlight).toBe(CALLS);
    const joining = [join(leaseMs), join(leaseMs)];
    for (const child of leaving) {
      await child.hasBegun(1);
      await (isKilled ? child.kill() : child.leave());
    }
    const outcomes = await Promise.all(calls);
    expect(outcomes).toEqual(outcomes.map((outcome, index) => expected(index, outcome, isKilled)));

    const staying = await Promise.all(joining);
    await waitFor(async () => (await ground.command('XLEN', requestsKey(ground.prefix, SERVICE))) === 0, { what: 'no request to be left' });
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'all answers to be written' });
    await Promise.all(staying.map((child) => child.leave()));
    const { answered, failed, timedOut, lateAnswers, ...counters } = caller.rpc.callerCounters;
    const count = (code: string): number => outcomes.filter((outcome) => 'code' in outcome && outcome.code === code).length;
    expect(timedOut).toBe(count('CALL_TIMEOUT'));
    expect(failed).toBe(count('REMOTE_FAILED') + count('CALL_INDEFINITE'));
    expect(answered + failed + timedOut).toBe(CALLS + 1);
    const none = { cancelled: 0, unknownAnswers: 0, malformed: 0, inboxesMade: 0, items: 0, droppedItems: 0, inFlight: 0 };
    expect(counters).toEqual({ ...none, sent: CALLS + 1 });
    if (isKilled) return;
    // Each answer that an instance has written was given to its call, or dropped.
    const written = server.rpc.serverCounters.answered + server.rpc.serverCounters.failed;
    const all = [...leaving, ...staying].reduce((sum, { answers }) => sum + answers, written);
    expect(answered + failed + lateAnswers).toBe(all);
  });
});

describe('R26 a call that times out at about the moment when its answer comes', () => {
  const ground = new RpcGround('late');
  const ROUNDS = 400;

  it('settles once, by the one or the other, and an answer that is late is dropped and counted', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const work = ({ payload }: { payload: string }): Promise<string> => setTimeout(Number(payload), payload);
    await server.rpc.serve({ ...SERVICE, concurrency: ROUNDS, methods: methodsWith(work) });
    const settled: Outcome[] = [];
    const calls = Array.from({ length: ROUNDS }, async (_, index) => {
      const timeoutMs = 60 + (index % 20);
      settled.push(await outcomeOf(call(caller, 'again', { payloadJson: `${40 + (index % 37)}`, timeoutMs })));
    });
    await Promise.all(calls);
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'all requests to be settled' });
    await waitFor(async () => (await ground.command('XLEN', requestsKey(ground.prefix, SERVICE))) === 0, { what: 'no request to be left' });
    const written = server.rpc.serverCounters.answered;
    await waitFor(() => caller.rpc.callerCounters.answered + caller.rpc.callerCounters.lateAnswers === written, { what: 'all answers to be read' });
    const values = settled.filter((outcome) => 'value' in outcome).length;
    expect(settled).toHaveLength(ROUNDS);
    expect(caller.rpc.callerCounters).toMatchObject({ answered: values, timedOut: ROUNDS - values, failed: 0, inFlight: 0 });
  });
});
