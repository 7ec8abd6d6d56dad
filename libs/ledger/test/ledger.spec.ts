import { describe, expect, it } from '@jest/globals';
import type { Begun } from '@millrace/core';
import { Ledger, LEDGER_SHARDS, ledgerKeys, type LedgerOptions, shardOf, type ShardKeys } from '@millrace/ledger';
import { SlottedTopology, TypeScriptChild, waitFor } from '@millrace/testing';
import type { Peer } from './peer.js';
import { PeerBed } from './peer-bed.js';

const LEASE_MS = 1_500;
const SCOPE = 'rpc:payments:1';
const bed = new PeerBed('ledger', LEASE_MS);

type Tuning = Partial<LedgerOptions>;

function ledgerOf({ redis, presence }: Pick<Peer, 'redis' | 'presence'>, tuning: Tuning = {}): Ledger {
  const ledger = new Ledger({ redis, presence, prefix: bed.prefix, scope: SCOPE, ...tuning });
  bed.endWith(() => ledger.stop());
  return ledger;
}

interface Worker {
  readonly ledger: Ledger;
  readonly member: string;
  readonly peer: Peer;
}

async function worker(tuning: Tuning = {}): Promise<Worker> {
  const peer = await bed.peer();
  return { peer, ledger: ledgerOf(peer, tuning), member: await peer.presence.join() };
}

async function begun({ ledger, member }: Worker, id: string): Promise<string> {
  const answer = await ledger.begin(id, member);
  expect(answer.kind).toBe('mine');
  return (answer as Extract<Begun, { kind: 'mine' }>).token;
}

/** A process of its own that has begun an entry. */
async function holder(id: string): Promise<{ child: TypeScriptChild; token: string }> {
  const args = [JSON.stringify({ ...bed.options, scope: SCOPE, id })];
  const child = new TypeScriptChild(new URL('./fixtures/holder.ts', import.meta.url), { args });
  bed.endWith(() => child.kill());
  return { child, token: await child.line() };
}

/** Begins again and again, as long as it is busy. */
function untilNotBusy({ ledger, member }: Worker, id: string): Promise<Begun> {
  const asked = async (): Promise<Begun | null> => {
    const answer = await ledger.begin(id, member);
    return answer.kind === 'busy' ? null : answer;
  };
  return waitFor(asked, { what: 'the entry not to be busy' });
}

const keysOf = (id: string): ShardKeys => ledgerKeys(bed.prefix, SCOPE, shardOf(id));
/** An entry in progress as Redis has it. */
const textOf = (id: string): Promise<unknown> => bed.command('HGET', keysOf(id).progress, id);
/** Ids of one shard, or of different ones. */
const idsOf = (count: number, isOne: (shard: number, index: number) => boolean): string[] => {
  const ids: string[] = [];
  for (let number = 0; ids.length < count; number += 1) if (isOne(shardOf(`id-${number}`), ids.length)) ids.push(`id-${number}`);
  return ids;
};

describe('an entry of a ledger', () => {
  it('is absent, then in progress for one, then done with its result', async () => {
    const [one, other] = [await worker(), await worker()];
    const token = await begun(one, 'a');
    const busy = await other.ledger.begin('a', other.member);
    expect(busy).toEqual({ kind: 'busy', retryMs: expect.any(Number) });
    expect((busy as { retryMs: number }).retryMs).toBeGreaterThan(0);
    expect(await one.ledger.complete('a', token, '{"paid":true}')).toBe(true);
    expect(await other.ledger.begin('a', other.member)).toEqual({ kind: 'done', result: '{"paid":true}' });
    expect(await one.ledger.begin('a', one.member)).toEqual({ kind: 'done', result: '{"paid":true}' });
  });

  it('is begun by exactly one of fifty at once, in one process or in several', async () => {
    const workers = [await worker(), await worker(), await worker()];
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => {
      const { ledger, member } = workers[index % workers.length]!;
      return ledger.begin('raced', member);
    }));
    expect(answers.filter(({ kind }) => kind === 'mine')).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === 'busy')).toHaveLength(49);
  });

  it('is absent again when it is released, and is another in another scope', async () => {
    const one = await worker();
    const other = { ...one, ledger: ledgerOf(one.peer, { scope: 'rpc:payments:2' }) };
    const token = await begun(one, 'a');
    await begun(other, 'a');
    await one.ledger.release('a', token);
    expect(await textOf('a')).toBeNull();
    await begun(one, 'a');
  });

  it('is neither completed nor released with a token that is not its last', async () => {
    const one = await worker();
    const token = await begun(one, 'a');
    await one.ledger.release('a', token);
    const next = await begun(one, 'a');
    await one.ledger.release('a', token);
    expect(await one.ledger.complete('a', token, 'late')).toBe(false);
    expect(await one.ledger.complete('a', next.slice(0, -1), 'cut')).toBe(false);
    expect(await one.ledger.complete('a', next, 'right')).toBe(true);
    await one.ledger.release('a', next);
    expect(await one.ledger.complete('a', token, 'later')).toBe(false);
    expect(await one.ledger.begin('a', one.member)).toEqual({ kind: 'done', result: 'right' });
    expect(await one.ledger.complete('absent', token, 'x')).toBe(false);
  });

  it('keeps its first result when it is completed again with its token', async () => {
    const one = await worker();
    const token = await begun(one, 'a');
    expect([await one.ledger.complete('a', token, 'one'), await one.ledger.complete('a', token, 'two')]).toEqual([true, true]);
    expect(await one.ledger.begin('a', one.member)).toEqual({ kind: 'done', result: 'one' });
  });

  it('is done for as long as it is kept, and absent after that', async () => {
    const one = await worker({ keepMs: 400 });
    expect(await one.ledger.complete('a', await begun(one, 'a'), 'x')).toBe(true);
    expect((await one.ledger.begin('a', one.member)).kind).toBe('done');
    await waitFor(async () => (await one.ledger.begin('a', one.member)).kind === 'mine', { what: 'the entry to be absent' });
  });

  it('is in progress for longer than one that is done is kept, where its work may take longer', async () => {
    const tuning = { keepMs: 20, workMs: 3_600_000 };
    const [one, other] = [await worker(tuning), await worker(tuning)];
    const token = await begun(one, 'a');
    const now = async (): Promise<number> => Number((await bed.command('TIME') as string[])[0]);
    const sinceS = await now();
    await waitFor(async () => (await now()) >= sinceS + 2, { what: 'a second to pass' });
    expect(await other.ledger.begin('a', other.member)).toMatchObject({ kind: 'busy' });
    expect(await one.ledger.complete('a', token, 'done')).toBe(true);
  });

  it('is done without its result when that is too large, which a repetition can tell', async () => {
    const one = await worker({ maxResultBytes: 1_000 });
    const results = [['fits', 'x'.repeat(1_000), true], ['wide', 'ä'.repeat(501), false], ['long', 'x'.repeat(1_001), false]] as const;
    for (const [id, result, kept] of results) {
      const token = await begun(one, id);
      expect(await one.ledger.complete(id, token, result)).toBe(true);
      expect(await one.ledger.complete(id, token, result)).toBe(true);
      expect(await one.ledger.begin(id, one.member)).toEqual(kept ? { kind: 'done', result } : { kind: 'done', result: '', tooLarge: true });
    }
  });

  it.each(['{}', '}{', 'a:b', '{a}', 'ä ö\n\t', ' ', '%7B', '\u0000', '*?[]', '😀', 'x'.repeat(300), '__proto__', "it's"])(
    'has any id, such as %j, and is another one for each',
    async (id) => {
      const one = await worker();
      const token = await begun(one, id);
      expect(await one.ledger.complete(id, token, `result of ${id}`)).toBe(true);
      expect(await one.ledger.begin(id, one.member)).toEqual({ kind: 'done', result: `result of ${id}` });
      await begun(one, encodeURIComponent(id) === id ? `${id.slice(1)}-` : encodeURIComponent(id).slice(0, 300));
    },
  );

  it.each(['', 'x'.repeat(301), 'ä'.repeat(151), '\ud800'])('refuses %j as an id', async (id) => {
    const one = await worker();
    await expect(one.ledger.begin(id, one.member)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(one.ledger.complete(id, 'token', '')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(one.ledger.release(id, 'token')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('counts what this process did', async () => {
    const one = await worker({ maxResultBytes: 10 });
    const [a, b] = [await begun(one, 'a'), await begun(one, 'b')];
    await one.ledger.begin('a', one.member);
    await one.ledger.complete('a', a, 'x'.repeat(11));
    await one.ledger.begin('a', one.member);
    await one.ledger.release('b', b);
    await one.ledger.complete('b', b, '');
    const once = { busy: 1, repeated: 1, completed: 1, tooLarge: 1, fenced: 1, released: 1 };
    expect(one.ledger.counters).toEqual({ begun: 2, takenOver: 0, full: 0, failed: 0, ...once });
  });
});

describe('an entry whose holder', () => {
  it('is killed is begun by another, and the token of the killed one completes nothing', async () => {
    const one = await worker();
    const { child, token } = await holder('a');
    expect((await one.ledger.begin('a', one.member)).kind).toBe('busy');
    await child.kill();
    const answer = await untilNotBusy(one, 'a');
    expect(answer.kind).toBe('mine');
    expect(one.ledger.counters).toMatchObject({ begun: 1, takenOver: 1 });
    expect(await one.ledger.complete('a', token, 'of the killed')).toBe(false);
    expect(await one.ledger.complete('a', (answer as { token: string }).token, 'x')).toBe(true);
  });

  it('has left is begun by another at once', async () => {
    const [leaving, one] = [await worker(), await worker()];
    await begun(leaving, 'a');
    await leaving.peer.presence.left(leaving.member);
    expect((await untilNotBusy(one, 'a')).kind).toBe('mine');
    expect(one.ledger.counters.takenOver).toBe(1);
  });

  it('dies is taken over by one of many that want it', async () => {
    const workers = [await worker(), await worker(), await worker()];
    const { child } = await holder('a');
    await child.kill();
    const answers = workers.map((each) => untilNotBusy(each, 'a'));
    const first = await Promise.race(answers);
    expect(first.kind).toBe('mine');
    expect(await workers[0]!.ledger.complete('a', (first as { token: string }).token, 'x')).toBe(true);
    const kinds = (await Promise.all(answers)).map(({ kind }) => kind).sort();
    expect(kinds).toEqual(['done', 'done', 'mine']);
  });

  it('lives is busy for longer than a lease, whoever asks', async () => {
    const [one, patient] = [await worker(), await worker()];
    const { token } = await holder('a');
    const untilMs = performance.now() + 2 * LEASE_MS;
    const retries: number[] = [];
    await waitFor(async () => {
      const answer = await patient.ledger.begin('a', patient.member);
      expect(answer.kind).toBe('busy');
      retries.push((answer as { retryMs: number }).retryMs);
      return performance.now() > untilMs;
    }, { what: 'two leases to pass' });
    expect(Math.max(...retries)).toBeGreaterThan(Math.min(...retries));
    expect(Math.max(...retries)).toBeLessThanOrEqual(1_250);
    expect(await one.ledger.complete('a', token, 'x')).toBe(true);
  });
});

describe('calls of a ledger', () => {
  it('in one tick go together, 64 at the most, and those of different kinds by themselves', async () => {
    const peer = await bed.peer();
    const [ledger, member] = [ledgerOf(peer), 'nobody-1.1'];
    const warm = await ledger.begin('warm', member);
    await ledger.complete('warm', (warm as { token: string }).token, '');
    await bed.command('CONFIG', 'RESETSTAT');
    const ids = Array.from({ length: 150 }, (_, index) => `id-${index}`);
    const answers = await Promise.all(ids.map((id) => ledger.begin(id, member)));
    const tokens = answers.map((answer) => (answer as { token: string }).token);
    const done = await Promise.all(tokens.map((token, index) => ledger.complete(ids[index]!, token, `r${index}`)));
    expect(done.every(Boolean)).toBe(true);
    const stats = String(await bed.command('INFO', 'commandstats'));
    expect(/cmdstat_evalsha:calls=(\d+),/.exec(stats)?.[1]).toBe('6');
    const results = await Promise.all(ids.map((id) => ledger.begin(id, member)));
    expect(results.map((result) => (result as { result: string }).result)).toEqual(ids.map((_, index) => `r${index}`));
  });

  it('go apart when their results are large together', async () => {
    const ledger = ledgerOf(await bed.peer());
    const ids = Array.from({ length: 10 }, (_, index) => `large-${index}`);
    const tokens = (await Promise.all(ids.map((id) => ledger.begin(id, 'nobody-1.1')))).map((answer) => (answer as { token: string }).token);
    await ledger.complete('absent', 'token', '');
    await bed.command('CONFIG', 'RESETSTAT');
    const result = 'x'.repeat(60_000);
    expect(await Promise.all(ids.map((id, index) => ledger.complete(id, tokens[index]!, result)))).toEqual(Array(10).fill(true));
    expect(/cmdstat_evalsha:calls=(\d+),/.exec(String(await bed.command('INFO', 'commandstats')))?.[1]).toBe('2');
    const results = await Promise.all(ids.map((id) => ledger.begin(id, 'nobody-1.1')));
    expect(results).toEqual(ids.map(() => ({ kind: 'done', result })));
  });

  it('begin nothing while Redis is full, and complete what was begun', async () => {
    const one = await worker();
    const [token, released] = [await begun(one, 'a'), await begun(one, 'b')];
    await bed.command('CONFIG', 'SET', 'maxmemory', 1);
    try {
      await expect(one.ledger.begin('c', one.member)).rejects.toMatchObject({ kind: 'back-pressure' });
      expect(await one.ledger.complete('a', token, 'x')).toBe(true);
      await one.ledger.release('b', released);
    } finally {
      await bed.command('CONFIG', 'SET', 'maxmemory', 0);
    }
    expect([await textOf('b'), await textOf('c')]).toEqual([null, null]);
    expect(await one.ledger.begin('a', one.member)).toEqual({ kind: 'done', result: 'x' });
  });

  it('go apart where their keys have different connections', async () => {
    const keys = Array.from({ length: LEDGER_SHARDS }, (_, shard) => ledgerKeys(bed.prefix, SCOPE, shard).progress);
    const topology = await SlottedTopology.open(bed.server.url, keys);
    bed.endWith(async () => topology.close());
    const { presence } = await bed.peer();
    const ledger = new Ledger({ redis: topology, presence, prefix: bed.prefix, scope: SCOPE });
    const answers = await Promise.all(['a', 'b', 'c'].map((id) => ledger.begin(id, 'nobody-1.1')));
    expect(answers.map(({ kind }) => kind)).toEqual(['mine', 'mine', 'mine']);
  });

  it('do not fail with one of them, whose shard holds something else', async () => {
    const one = await worker();
    const [good, broken, foreign] = idsOf(3, (shard, index) => shard === index) as [string, string, string];
    await bed.command('SET', keysOf(broken).progress, 'something else');
    await bed.command('HSET', keysOf(foreign).progress, foreign, 'something else');
    const answers = await Promise.allSettled([good, broken, foreign].map((id) => one.ledger.begin(id, one.member)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect((answers[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'REDIS_FAILED' });
    expect((answers[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'REDIS_FAILED' });
    expect(await one.ledger.complete(foreign, 'token', 'x')).toBe(false);
    await expect(one.ledger.complete(broken, 'token', 'x')).rejects.toMatchObject({ code: 'REDIS_FAILED' });
    expect(one.ledger.counters.failed).toBe(3);
  });

  it('complete an entry that was completed by a call whose answer was lost', async () => {
    const { redis, presence, proxy } = await bed.peerBehindProxy();
    const ledger = ledgerOf({ redis, presence });
    const { token } = (await ledger.begin('a', 'nobody-1.1')) as { token: string };
    const dropped = proxy.dropReplies();
    const lost = expect(ledger.complete('a', token, 'x')).rejects.toMatchObject({ kind: 'indeterminate' });
    await dropped;
    await proxy.pass();
    await lost;
    await redis.publish.whenReady(10_000);
    expect(await ledger.complete('a', token, 'x')).toBe(true);
    expect(await ledger.begin('a', 'nobody-1.1')).toEqual({ kind: 'done', result: 'x' });
  });

  it('release an entry whose begin was not answered, though its holder lives', async () => {
    const [{ redis, proxy }, { presence }, other] = [await bed.peerBehindProxy(), await bed.peer(), await worker()];
    const [ledger, member] = [ledgerOf({ redis, presence }), await presence.join()];
    const dropped = proxy.dropReplies();
    const lost = expect(ledger.begin('a', member)).rejects.toMatchObject({ kind: 'indeterminate' });
    await dropped;
    expect(await textOf('a')).toContain(member);
    await proxy.pass();
    await lost;
    expect((await untilNotBusy(other, 'a')).kind).toBe('mine');
    expect(other.ledger.counters.takenOver).toBe(0);
  });

  it('refuse options that make no sense', async () => {
    const { redis, presence } = await bed.peer();
    const make = (tuning: Tuning) => (): Ledger => new Ledger({ redis, presence, prefix: bed.prefix, scope: SCOPE, ...tuning });
    for (const tuning of [{ scope: '' }, { scope: 'a{b}' }, { keepMs: 0 }, { keepMs: 1.5 }, { maxResultBytes: -1 }, { maxEntries: 0 }]) {
      expect(make(tuning)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    }
  });
});
