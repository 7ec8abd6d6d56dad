import { describe, expect, it } from '@jest/globals';
import { RedisFailure } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { RpcGround, SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';
import { replaceSending } from './sending.js';
import { Counting, endOf, gathered, numbers, serveStreams, type Stream, streamOf } from './stream-ground.js';

const HOUR_MS = 3_600_000;

describe('a streamed answer', () => {
  const ground = new RpcGround('streams-losses');

  it.each([
    ['again where it is idempotent, and each item comes once', true], ['once where it is not, and all items come', false],
  ])('whose request was sent without a reply is begun %s', async (_, idempotent) => {
    const server = await ground.start({ leaseMs: 10_000 });
    const { process: caller, proxy } = await ground.startBehindProxy({ leaseMs: 10_000 });
    const begun: Counting[] = [];
    const stream: Stream = (request) => {
      const counting = new Counting(500);
      begun.push(counting);
      return counting.stream(request);
    };
    await server.rpc.serve({ ...SERVICE, concurrency: 4, methods: new Map([['count', { idempotent, stream }]]) });
    const options = { idempotent, window: 8 };
    await gathered(streamOf(caller, 'count', options));
    begun.length = 0;
    // From here on a call is sent without a look at the registry.
    await caller.rpc.instances.use(SERVICE.service);
    const publish = caller.redis.publishFor('');
    const epoch = publish.connectionEpoch;
    void proxy.dropReplies();
    const items = gathered(streamOf(caller, 'count', options));
    await waitFor(() => publish.connectionEpoch > epoch, { what: 'the connection to be given up' });
    await proxy.pass();
    expect(await items).toEqual(numbers(500));
    await waitFor(() => server.rpc.serverCounters.inFlight === 0, { what: 'all runs to have ended', timeoutMs: 30_000 });
    expect(begun.length > 1).toBe(idempotent);
    expect(caller.rpc.callerCounters).toMatchObject({ failed: 0 });
  });

  it('fails when it is not known whether Redis has its request, and nothing comes', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { count: new Counting().stream });
    replaceSending(caller.redis.publishFor(''), () => Promise.reject(new RedisFailure('indeterminate', 'as planned', undefined)));
    const { items, error } = await endOf(streamOf(caller, 'count', { timeoutMs: HOUR_MS }));
    expect(items).toEqual([]);
    expect(error).toMatchObject({ code: 'CALL_INDEFINITE', message: expect.stringContaining('did not say') });
  });

  it('fails when a failover has lost the last items of a window, and both sides wait', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const items = streamOf(caller, 'count', { timeoutMs: HOUR_MS, window: 4 });
    await items.next();
    await waitFor(() => caller.rpc.callerCounters.items === 4, { what: 'a window of items' });
    const losing = losingWrites(server);
    const ending = endOf(items);
    await waitFor(() => losing.count > 0, { what: 'items to be lost' });
    losing.end();
    const { error } = await ending;
    expect(error).toMatchObject({ code: 'CALL_INDEFINITE', message: expect.stringContaining('are lost') });
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed' });
  });

  it('fails when nothing is heard of it for long, though its instance lives', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    await serveStreams(server, { count: new Counting().stream });
    const items = streamOf(caller, 'count', { timeoutMs: HOUR_MS, window: 4 });
    await items.next();
    const losing = losingWrites(server);
    expect((await endOf(items)).error).toMatchObject({ code: 'CALL_INDEFINITE', message: expect.stringContaining('Nothing was heard') });
    losing.end();
  });
});

/** Writes to inboxes are acknowledged, and lost, until `end`. */
function losingWrites({ redis }: RpcProcess): { readonly count: number; end: () => void } {
  const publish = redis.publishFor('');
  const call = publish.call.bind(publish);
  const lost = { count: 0, end: () => void (publish.call = call) };
  publish.call = (name, ...args) => {
    if (name !== 'XADD') return call(name, ...args);
    lost.count += 1;
    return Promise.resolve('1-1');
  };
  return lost;
}
