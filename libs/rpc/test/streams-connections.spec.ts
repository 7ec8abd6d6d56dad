import { describe, expect, it } from '@jest/globals';
import { RedisFailure } from '@millrace/redis';
import { grantChannel, inboxKey, requestsKey } from '@millrace/rpc';
import { SlottedTopology, waitFor } from '@millrace/testing';
import { failureOf, gate, RpcGround, SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';
import { Counting, endOf, gathered, type Items, numbers, serveStreams, type Stream, streamOf } from './stream-ground.js';

/** Takes all items, and tells how many there are so far. */
class Taking {
  readonly items: string[] = [];
  readonly end: Promise<unknown>;

  constructor(items: Items) {
    this.end = this.#take(items).then(() => null, (error: unknown) => error);
  }

  async has(count: number): Promise<void> {
    await waitFor(() => this.items.length >= count, { what: `${count} items`, timeoutMs: 60_000 });
  }

  async #take(items: Items): Promise<void> {
    for await (const item of items) this.items.push(item);
  }
}

describe('a streamed answer that is under way', () => {
  const ground = new RpcGround('streams-connections');

  interface Ending {
    readonly stream: Stream;
    readonly end: () => void;
    /** The member name of its caller. */
    readonly caller: () => string;
  }

  /** Counts until it is told to end. */
  function untilToldTo(): Ending {
    let [hasEnded, from] = [false, ''];
    const stream = async function* ({ caller }: { readonly caller: string }): AsyncGenerator<string> {
      from = caller;
      for (let value = 0; !hasEnded; value += 1) {
        if (value % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
        yield `${value}`;
      }
    };
    return { stream, end: () => void (hasEnded = true), caller: () => from };
  }

  /** The runs of streams that were opened in an inbox, in the order of their correlations. */
  async function runsIn(inbox: string, count: number): Promise<string[]> {
    const runs: string[] = [];
    for (let correlation = 1; correlation <= count; correlation += 1) runs.push(await runOf(inbox, correlation));
    return runs;
  }

  async function runOf(inbox: string, correlation: number): Promise<string> {
    const entries = (await ground.command('XRANGE', inbox, '-', '+')) as [string, string[]][];
    const field = entries.flatMap(([, fields]) => fields).find((each) => each.startsWith(`o${correlation}.`));
    return /\.([\w-]+)\./.exec(field ?? '')?.[1] ?? '';
  }

  it.each([
    ['caller', 'reset'], ['caller', 'cut'], ['service', 'reset'], ['service', 'cut'],
  ] as const)('loses, doubles and mixes up nothing when the connections of its %s are %s for 300 ms', async (side, fault) => {
    // A busy machine may take longer to connect again than a short lease lasts.
    const { process: broken, proxy } = await ground.startBehindProxy({ leaseMs: 10_000 });
    const whole = await ground.start({ leaseMs: 10_000 });
    const [server, caller] = side === 'service' ? [broken, whole] : [whole, broken];
    const counting = untilToldTo();
    await serveStreams(server, { count: counting.stream });
    const taking = new Taking(streamOf(caller, 'count'));
    await taking.has(200);
    if (fault === 'reset') await proxy.refuse();
    else proxy.blackHole();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = taking.items.length;
    await proxy.pass();
    await taking.has(before + 500);
    counting.end();
    expect(await taking.end).toBeNull();
    expect(taking.items).toEqual(numbers(taking.items.length));
  });

  it('goes on when its caller was cut off for longer than its lease', async () => {
    const server = await ground.start();
    const { process: caller, proxy } = await ground.startBehindProxy();
    const counting = untilToldTo();
    await serveStreams(server, { count: counting.stream });
    const taking = new Taking(streamOf(caller, 'count'));
    await taking.has(200);
    const gone = new Promise<void>((resolve) => {
      const watcher = { watched: [counting.caller()], onGone: () => resolve(), onReturn: () => undefined };
      server.presence.watch(watcher);
    });
    proxy.blackHole();
    await gone;
    const before = taking.items.length;
    await proxy.pass();
    await taking.has(before + 500);
    counting.end();
    expect(await taking.end).toBeNull();
    expect(taking.items).toEqual(numbers(taking.items.length));
  });

  it('brings each item once when the replies to its writes are lost', async () => {
    const caller = await ground.start({ leaseMs: 10_000 });
    const { process: server, proxy } = await ground.startBehindProxy({ leaseMs: 10_000 });
    const counting = untilToldTo();
    await serveStreams(server, { count: counting.stream });
    const taking = new Taking(streamOf(caller, 'count'));
    for (let turn = 1; turn <= 3; turn += 1) {
      await taking.has(200 * turn);
      await proxy.dropReplies();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = taking.items.length;
      await proxy.pass();
      await taking.has(before + 100);
    }
    counting.end();
    expect(await taking.end).toBeNull();
    expect(taking.items).toEqual(numbers(taking.items.length));
    expect(caller.rpc.callerCounters.droppedItems).toBeGreaterThan(0);
  });

  it('goes on when grants are lost', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting(1_000);
    await serveStreams(server, { count: counting.stream });
    const lost = losingGrants(caller);
    const taking = new Taking(streamOf(caller, 'count', { window: 16 }));
    await waitFor(() => lost.count >= 2, { what: 'a grant to be repeated' });
    expect(taking.items).toHaveLength(16);
    lost.end();
    expect(await taking.end).toBeNull();
    expect(taking.items).toEqual(numbers(1_000));
  });

  it('is ended by a reminder when the word of its consumer was lost', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const items = streamOf(caller, 'count');
    await items.next();
    const lost = losingGrants(caller);
    await items.return!();
    await waitFor(() => lost.count > 0, { what: 'the word to be lost' });
    lost.end();
    expect(counting.closed).toBe(0);
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed', timeoutMs: 30_000 });
  }, 60_000);

  it('ends with CALL_INDEFINITE when the inbox vanishes, and so does its method', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let from = '';
    const counting = new Counting();
    await serveStreams(server, { count: (request) => ((from = request.caller), counting.stream(request)) });
    const items = streamOf(caller, 'count', { window: 32 });
    await items.next();
    await waitFor(() => caller.rpc.callerCounters.items === 32, { what: 'a window of items' });
    await ground.command('DEL', inboxKey(ground.prefix, from));
    const { items: rest, error } = await endOf(items);
    expect(['0', ...rest]).toEqual(numbers(rest.length + 1));
    expect(error).toMatchObject({ code: 'CALL_INDEFINITE' });
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed' });
    const again = streamOf(caller, 'count');
    expect(await again.next()).toMatchObject({ done: false });
    await again.return!();
  });

  it('ends with CALL_INDEFINITE when the inbox vanishes while nothing is written', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let [from, hasEnded] = ['', false];
    await serveStreams(server, {
      async *hang({ caller: name, signal }) {
        from = name;
        yield '0';
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        hasEnded = true;
      },
    });
    const items = streamOf(caller, 'hang', { timeoutMs: 20_000 });
    await items.next();
    await ground.command('DEL', inboxKey(ground.prefix, from));
    expect(await failureOf(items.next())).toMatchObject({ code: 'CALL_INDEFINITE' });
    await waitFor(() => hasEnded, { what: 'the method to end' });
  });

  it('has its method closed when there is no inbox for it', async () => {
    const server = await ground.start();
    const counting = new Counting();
    await serveStreams(server, { count: counting.stream });
    const header = '[1,"count","nobody",3600000,0,null,null,8]';
    await ground.command('XADD', requestsKey(ground.prefix, SERVICE), '*', header, '1');
    await waitFor(() => counting.closed === 1, { what: 'the method to be closed' });
    expect(await ground.command('EXISTS', inboxKey(ground.prefix, 'nobody'))).toBe(0);
  });

  it('ends with CALL_INDEFINITE when items are missing, and takes none that others write', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let from = '';
    const held = gate();
    const hold = async function* ({ caller: name }: { readonly caller: string }): AsyncGenerator<string> {
      from = name;
      yield '0';
      await held.promise;
      yield '1';
    };
    await serveStreams(server, { hold });
    const [whole, broken] = [streamOf(caller, 'hold'), streamOf(caller, 'hold')];
    expect([await whole.next(), await broken.next()]).toEqual([{ done: false, value: '0' }, { done: false, value: '0' }]);
    const inbox = inboxKey(ground.prefix, from);
    const [run] = await runsIn(inbox, 2);
    const forged = [
      'i1.other.2', '"x"', `i1.${run}.1`, '"twice"', 'i999.other.1', '"x"', 'd1.other.1', '', 'f1.other.1', '{}', `o1.${run}.0`, 'no member!',
      'i1', 'x', 'i1..2', 'x', `i1.${run}`, 'x', `i1.${run}.-1`, 'x', `i1.${run}.1e3`, 'x', `z1.${run}.2`, 'x', 'i1.a b.2', 'x',
    ];
    await ground.command('XADD', inbox, '*', ...forged, `i2.${run}.3`, '"gap"', `i2.${await runOf(inbox, 2)}.3`, '"gap"');
    expect(await failureOf(broken.next())).toMatchObject({ code: 'CALL_INDEFINITE' });
    held.open();
    expect(await gathered(whole)).toEqual(['1']);
    expect(caller.rpc.callerCounters).toMatchObject({ items: 3, malformed: 8 });
    expect(caller.rpc.callerCounters.droppedItems).toBeGreaterThanOrEqual(4);
  });

  it('ends with CALL_INDEFINITE when more comes than was granted, and when its end counts more than has come', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    let from = '';
    const held = gate();
    const hold = async function* ({ caller: name }: { readonly caller: string }): AsyncGenerator<string> {
      from = name;
      yield '0';
      await held.promise;
    };
    await serveStreams(server, { hold });
    const [ahead, short] = [streamOf(caller, 'hold', { window: 2 }), streamOf(caller, 'hold')];
    await Promise.all([ahead.next(), short.next()]);
    const inbox = inboxKey(ground.prefix, from);
    const [first, second] = await runsIn(inbox, 2);
    const items = [2, 3, 4].flatMap((number) => [`i1.${first}.${number}`, '"x"']);
    await ground.command('XADD', inbox, '*', ...items, `d1.${first}.4`, '', `d2.${second}.5`, '');
    // All of them are read when its end is.
    expect(await endOf(short)).toMatchObject({ items: [], error: { code: 'CALL_INDEFINITE' } });
    expect(await endOf(ahead)).toMatchObject({ items: ['"x"', '"x"'], error: { code: 'CALL_INDEFINITE' } });
    held.open();
  });

  it('is granted nothing by others', async () => {
    const [server, caller] = [await ground.start(), await ground.start()];
    const counting = new Counting();
    let from = '';
    const { member } = await serveStreams(server, { count: (request) => ((from = request.caller), counting.stream(request)) });
    const items = streamOf(caller, 'count', { window: 4 });
    await items.next();
    const run = await runOf(inboxKey(ground.prefix, from), 1);
    const lines = [
      'no grant', `${from} 1 other 1000`, `${from} 2 ${run} 0`, `x 1 ${run} 1000`, '', `${from} 1 ${run} 99999999999999999999`, `${from} 1`,
    ];
    const channel = grantChannel(ground.prefix, member);
    await waitFor(async () => (await ground.command('SPUBLISH', channel, lines.join('\n'))) === 1, { what: 'the instance to listen' });
    for (let taken = 2; taken <= 20; taken += 1) {
      await items.next();
      expect(counting.made).toBeLessThanOrEqual(taken + 4);
    }
    expect(counting.closed).toBe(0);
    await items.return!();
  });

  it('goes its way where no script may touch two streams', async () => {
    const keys = [requestsKey(ground.prefix, SERVICE), `${ground.prefix}:{presence}:x`];
    const slotted = (): Promise<SlottedTopology> => SlottedTopology.open(ground.server.url, keys);
    const [server, caller] = [await ground.start({ redis: await slotted() }), await ground.start({ redis: await slotted() })];
    const { member } = await serveStreams(server, {
      count: new Counting(2_000).stream,
      async *fail() {
        yield '0';
        throw new Error('no');
      },
    });
    expect(await gathered(streamOf(caller, 'count'))).toEqual(numbers(2_000));
    expect(await endOf(streamOf(caller, 'fail', { instance: member }))).toMatchObject({ items: ['0'], error: { code: 'REMOTE_FAILED' } });
    await waitFor(async () => (await ground.command('XLEN', keys[0]!)) === 0, { what: 'all to be settled' });
  });
});

/** Keeps from Redis, until `end`, all that a process publishes. */
function losingGrants({ redis }: RpcProcess): { readonly count: number; end: () => void } {
  const publish = redis.publishFor('');
  const run = publish.call.bind(publish);
  const lost = { count: 0, end: () => void (publish.call = run) };
  publish.call = (name, ...args) => {
    if (name !== 'SPUBLISH') return run(name, ...args);
    lost.count += 1;
    return Promise.reject(new RedisFailure('unsent', 'as planned', undefined));
  };
  return lost;
}
