import { describe, expect, it } from '@jest/globals';
import { Ledger, LEDGER_SHARDS, ledgerKeys, type LedgerOptions, shardOf } from '@millrace/ledger';
import { connectRedis } from '@millrace/redis';
import { createStreams } from '@millrace/streams';
import { ClusterSite, SlottedTopology, uniqueName } from '@millrace/testing';
import { PeerBed } from './peer-bed.js';

const SCOPE = 'topic:orders:billing';
const HOUR_MS = 3_600_000;
const bed = new PeerBed('ledger-storage', 1_500);

async function ledgerWith(tuning: Partial<LedgerOptions> = {}): Promise<Ledger> {
  const ledger = new Ledger({ ...(await bed.peer()), prefix: bed.prefix, scope: SCOPE, ...tuning });
  bed.endWith(() => ledger.stop());
  return ledger;
}

async function done(ledger: Ledger, id: string): Promise<void> {
  const begun = await ledger.begin(id, 'nobody-1.1');
  expect(begun.kind).toBe('mine');
  expect(await ledger.complete(id, (begun as { token: string }).token, '')).toBe(true);
}

/** Ids of the first shard. */
function idsOfOneShard(count: number): string[] {
  const ids: string[] = [];
  for (let number = 0; ids.length < count; number += 1) if (shardOf(`id-${number}`) === 0) ids.push(`id-${number}`);
  return ids;
}

/** Since when each hash of what is done has been the current one, in the first shard. */
async function starts(): Promise<number[]> {
  const { done: hashes } = ledgerKeys(bed.prefix, SCOPE, 0);
  return (await Promise.all(hashes.map((key) => bed.command('HGET', key, '')))).map(Number);
}

/** Has the current hash of the first shard be as old as this. */
async function age(ageMs: number): Promise<void> {
  const { done: hashes } = ledgerKeys(bed.prefix, SCOPE, 0);
  const began = await starts();
  const latest = began[0]! >= began[1]! ? 0 : 1;
  await bed.command('HSET', hashes[latest], '', Date.now() - ageMs);
}

describe('entries of a ledger that are done', () => {
  it('are kept for a window at the least, and go with the one after it', async () => {
    const ledger = await ledgerWith({ keepMs: HOUR_MS });
    const [first, second, third, ...more] = idsOfOneShard(6) as [string, string, string, ...string[]];
    await done(ledger, first);
    for (const id of more) await done(ledger, id);
    expect((await ledger.begin(first, 'nobody-1.1')).kind).toBe('done');
    await age(HOUR_MS);
    await done(ledger, second);
    expect((await ledger.begin(first, 'nobody-1.1')).kind).toBe('done');
    await age(HOUR_MS);
    await done(ledger, third);
    expect((await ledger.begin(first, 'nobody-1.1')).kind).toBe('mine');
    expect((await ledger.begin(second, 'nobody-1.1')).kind).toBe('done');
    expect(await ledger.size()).toEqual({ inProgress: 1, done: 2 });
  });

  it('count no more after two windows, though nothing else is done', async () => {
    const ledger = await ledgerWith({ keepMs: HOUR_MS });
    const [id] = idsOfOneShard(1) as [string];
    await done(ledger, id);
    await age(2 * HOUR_MS);
    expect((await ledger.begin(id, 'nobody-1.1')).kind).toBe('mine');
    expect(await ledger.size()).toEqual({ inProgress: 1, done: 0 });
  });

  it('are in keys that expire', async () => {
    const ledger = await ledgerWith({ keepMs: HOUR_MS });
    await done(ledger, idsOfOneShard(1)[0]!);
    const { progress, done: hashes } = ledgerKeys(bed.prefix, SCOPE, 0);
    const ttls = await Promise.all([progress, ...hashes].map(async (key) => Number(await bed.command('PTTL', key))));
    expect(ttls.every((ttl) => ttl > 0 && ttl <= 2 * HOUR_MS + 60_000)).toBe(true);
  });
});

describe('entries of a ledger in progress', () => {
  it('are begun anew when they are older than entries are kept, though their holder lives', async () => {
    const ledger = await ledgerWith({ keepMs: HOUR_MS });
    const [id] = idsOfOneShard(1) as [string];
    const { token } = (await ledger.begin(id, 'nobody-1.1')) as { token: string };
    await bed.command('HSET', ledgerKeys(bed.prefix, SCOPE, 0).progress, id, `${token} ${Date.now() - HOUR_MS} nobody-1.1`);
    expect((await ledger.begin(id, 'nobody-1.1')).kind).toBe('mine');
    expect(await ledger.complete(id, token, '')).toBe(false);
  });

  it('are removed when they are too old, and take up the room of others', async () => {
    const ledger = await ledgerWith({ keepMs: HOUR_MS, maxEntries: LEDGER_SHARDS });
    const [old, fresh] = idsOfOneShard(2) as [string, string];
    const { token } = (await ledger.begin(old, 'nobody-1.1')) as { token: string };
    await expect(ledger.begin(fresh, 'nobody-1.1')).rejects.toMatchObject({ code: 'LEDGER_FULL' });
    await bed.command('HSET', ledgerKeys(bed.prefix, SCOPE, 0).progress, old, `${token} ${Date.now() - HOUR_MS} nobody-1.1`);
    expect((await ledger.begin(fresh, 'nobody-1.1')).kind).toBe('mine');
    expect(await ledger.size()).toEqual({ inProgress: 1, done: 0 });
  });
});

describe('a ledger that is full', () => {
  it('begins nothing, says so, and completes and repeats what it has', async () => {
    const ledger = await ledgerWith({ maxEntries: 2 * LEDGER_SHARDS });
    const [one, other, third] = idsOfOneShard(3) as [string, string, string];
    await done(ledger, one);
    const { token } = (await ledger.begin(other, 'nobody-1.1')) as { token: string };
    await expect(ledger.begin(third, 'nobody-1.1')).rejects.toMatchObject({ code: 'LEDGER_FULL', retryable: true });
    expect(await ledger.size()).toEqual({ inProgress: 1, done: 1 });
    expect((await ledger.begin(one, 'nobody-1.1')).kind).toBe('done');
    await ledger.release(other, token);
    expect((await ledger.begin(third, 'nobody-1.1')).kind).toBe('mine');
    expect(ledger.counters).toMatchObject({ full: 1, failed: 0 });
  });
});

describe('a ledger on several nodes', () => {
  it('has one call for each shard of what is asked in one tick', async () => {
    const keys = Array.from({ length: LEDGER_SHARDS }, (_, shard) => ledgerKeys(bed.prefix, SCOPE, shard).progress);
    const redis = await SlottedTopology.open(bed.server.url, keys);
    bed.endWith(async () => redis.close());
    const ledger = await ledgerWith({ redis });
    await Promise.all(idsOfOneShard(1).map((id) => ledger.begin(id, 'nobody-1.1')));
    await bed.command('CONFIG', 'RESETSTAT');
    const ids = Array.from({ length: 64 }, (_, index) => `m-${index}`);
    expect(new Set(ids.map(shardOf)).size).toBe(LEDGER_SHARDS);
    await Promise.all(ids.map((id) => ledger.begin(id, 'nobody-1.1')));
    const stats = String(await bed.command('INFO', 'commandstats'));
    const sum = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+),/g)].reduce((total, [, calls]) => total + Number(calls), 0);
    expect(sum).toBe(LEDGER_SHARDS + Number(/cmdstat_eval:calls=(\d+),/.exec(stats)?.[1] ?? 0));
  });

  it('works in a Cluster as on one server', async () => {
    const site = await ClusterSite.start({ replicas: 0 });
    bed.endWith(() => site.stop());
    const redis = await connectRedis(site.target);
    const prefix = uniqueName('clustered');
    const streams = createStreams({ redis, prefix, leaseMs: 1_500 });
    bed.endWith(async () => {
      await streams.stop(0);
      redis.close();
    });
    const ledger = new Ledger({ redis, presence: streams.presence, prefix, scope: SCOPE });
    const member = await streams.presence.join();
    const ids = Array.from({ length: 50 }, (_, index) => `c-${index}`);
    const tokens = await Promise.all(ids.map(async (id) => ((await ledger.begin(id, member)) as { token: string }).token));
    expect((await Promise.all(ids.map((id) => ledger.begin(id, member)))).every(({ kind }) => kind === 'busy')).toBe(true);
    expect(await ledger.size()).toEqual({ inProgress: 50, done: 0 });
    const completed = await Promise.all(ids.map((id, index) => ledger.complete(id, tokens[index]!, String(index))));
    expect(completed).toEqual(ids.map(() => true));
    expect(await Promise.all(ids.map((id) => ledger.begin(id, member)))).toEqual(ids.map((_, index) => ({ kind: 'done', result: String(index) })));
    expect(await ledger.size()).toEqual({ inProgress: 0, done: 50 });
    await ledger.stop();
  });
});
