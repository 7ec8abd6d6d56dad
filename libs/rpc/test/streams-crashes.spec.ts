import { afterEach, describe, expect, it } from '@jest/globals';
import { listen } from '@millrace/core';
import { requestsKey, type Serving } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { InstanceChild } from './instance-child.js';
import { failureOf, gate, LEASE_MS, RpcGround, SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';
import { Counting, endOf, numbers, serveStreams, streamOf } from './stream-ground.js';

/** The method that the children have, too. */
function serveIdempotent({ rpc }: RpcProcess, { stream }: Counting): Promise<Serving> {
  return rpc.serve({ ...SERVICE, concurrency: 4, methods: new Map([['count', { idempotent: true, stream }]]) });
}

describe('a streamed answer', () => {
  const ground = new RpcGround('streams-crashes');
  const children: InstanceChild[] = [];

  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function startChild(fixture: 'stream-instance' | 'stream-caller' = 'stream-instance', concurrency = 4): Promise<InstanceChild> {
    const { target, prefix } = ground;
    const child = new InstanceChild({ target, prefix, leaseMs: LEASE_MS, concurrency, workMs: 1 }, fixture);
    children.push(child);
    return child.serving();
  }

  it.each(['another instance', 'nobody'] as const)('ends with CALL_INDEFINITE when its instance is killed and %s is there', async (who) => {
    const [caller, child] = [await ground.start(), await startChild()];
    const items = streamOf(caller, 'count', { timeoutMs: 3_600_000, idempotent: true });
    await items.next();
    const counting = new Counting(5);
    if (who === 'another instance') await serveIdempotent(await ground.start(), counting);
    await child.kill();
    const { items: rest, error } = await endOf(items);
    expect(error).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(['0', ...rest]).toEqual(numbers(rest.length + 1));
    // An idempotent method is not begun again either: its items would come twice.
    expect(counting.made).toBe(0);
    expect(caller.rpc.callerCounters).toMatchObject({ failed: 1, inFlight: 0 });
  });

  it('ends with CALL_INDEFINITE when its chosen instance is killed', async () => {
    const [caller, child] = [await ground.start(), await startChild()];
    const items = streamOf(caller, 'count', { timeoutMs: 3_600_000, instance: child.member });
    await items.next();
    await child.kill();
    expect((await endOf(items)).error).toMatchObject({ code: 'CALL_INDEFINITE', message: expect.stringContaining('that served the stream is gone') });
  });

  it('ends when it waits for a slot and no instance is left', async () => {
    const [caller, child] = [await ground.start(), await startChild('stream-instance', 1)];
    const begun = streamOf(caller, 'count', { timeoutMs: 3_600_000 });
    await begun.next();
    const waiting = failureOf(streamOf(caller, 'count', { timeoutMs: 3_600_000, payloadJson: '2' }).next());
    await waitFor(() => caller.rpc.callerCounters.sent === 2, { what: 'both to be stored' });
    await child.kill();
    expect(await waiting).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(child.begun).toEqual(['1']);
    await begun.return!();
    // Nobody executes later what its caller does not wait for.
    await waitFor(async () => (await ground.command('XLEN', requestsKey(ground.prefix, SERVICE))) === 1, { what: 'the other to be withdrawn' });
  });

  it('takes nothing more from an instance that was frozen, and taken over meanwhile', async () => {
    const [caller, child, other] = [await ground.start(), await startChild(), await ground.start()];
    const items = streamOf(caller, 'count', { timeoutMs: 3_600_000, window: 1_000 });
    await items.next();
    child.signal('SIGSTOP');
    await serveIdempotent(other, new Counting(5));
    const { items: rest, error } = await endOf(items);
    expect(error).toMatchObject({ code: 'CALL_INDEFINITE' });
    expect(['0', ...rest]).toEqual(numbers(rest.length + 1));
    const { items: taken } = caller.rpc.callerCounters;
    child.signal('SIGCONT');
    await waitFor(() => caller.rpc.callerCounters.droppedItems > 0, { what: 'items that come late' });
    expect(caller.rpc.callerCounters).toMatchObject({ items: taken, inFlight: 0 });
    await waitFor(() => child.closed.length === 1, { what: 'the frozen instance to end its method', timeoutMs: 30_000 });
  });

  it('is ended by the service when its caller is killed', async () => {
    const server = await ground.start();
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const child = await startChild('stream-caller');
    await child.hasBegun(1);
    await child.kill();
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed', timeoutMs: 40_000 });
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'the slot to be free' });
  });

  it('aborts the signal of a method that waits for something else when its caller is killed', async () => {
    const server = await ground.start({ overdueMs: 50 });
    const failures: unknown[] = [];
    const stop = listen('call-failed', (event) => failures.push(event));
    let isAborted = false;
    const end = gate();
    const serving = await serveStreams(server, {
      async *count ({ signal }) {
        yield '0';
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        isAborted = true;
        await end.promise;
      },
    });
    const child = await startChild('stream-caller');
    await child.hasBegun(1);
    await child.kill();
    await waitFor(() => isAborted, { what: 'the signal to abort', timeoutMs: 40_000 });
    // Nobody waits for it, so it is shown as such while it goes on.
    await waitFor(() => serving.state().overdue === 1, { what: 'the method to be overdue' });
    end.open();
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'the slot to be free' });
    expect(serving.state()).toEqual({ running: 0, overdue: 0 });
    // The method did not fail.
    expect(failures).toEqual([]);
    stop();
  });
});
