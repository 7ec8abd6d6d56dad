import { afterEach, describe, expect, it } from '@jest/globals';
import { rmSync } from 'node:fs';
import { createAdmin, type Examination, type Finding } from '@millrace/admin';
import { connectServer, fieldOf } from '@millrace/redis';
import { createStreams } from '@millrace/streams';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';

const SOUND = ['--maxmemory', '512mb', '--appendonly', 'yes', '--appendfsync', 'everysec'];

const open: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function serverWith(...extra: string[]): Promise<TestRedis> {
  const server = await startTestRedis({ extra: [...SOUND, ...extra] });
  open.push(() => server.stop());
  return server;
}

interface Surroundings {
  /** Its name and password. */
  readonly user?: string;
  /** Commands that are run before, by one who may do all. */
  readonly set?: string[][];
}

async function examinationOf(server: TestRedis, { user, set = [] }: Surroundings = {}): Promise<Examination> {
  const root = await connectServer({ url: server.url });
  for (const [name = '', ...args] of set) await root.control.call(name, ...args);
  const redis = await connectServer({ url: user === undefined ? server.url : server.url.replace('redis://', `redis://${user}@`) });
  const streams = createStreams({ redis, prefix: 'spec', leaseMs: 600 });
  open.push(async () => {
    await streams.stop(500);
    redis.close();
    root.close();
  });
  return createAdmin({ redis, prefix: 'spec', streams }).doctor();
}

/** The findings that are not as they must be. */
function faultsOf({ findings }: Examination): Pick<Finding, 'check' | 'state' | 'found'>[] {
  return findings.filter(({ state }) => state !== 'ok').map(({ check, state, found }) => ({ check, state, found }));
}

/** Another time than that of this machine, for as long as some work takes. */
async function withClockSteppedBy<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const now = Date.now;
  Date.now = () => now() + ms;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

describe('doctor', () => {
  it('finds nothing in a server that is fit, and leaves no key behind', async () => {
    const server = await serverWith();
    const examination = await examinationOf(server);
    expect(faultsOf(examination)).toEqual([]);
    expect(examination).toMatchObject({ ok: true, product: expect.stringMatching(/^(Redis|Valkey) \d/) });
    const redis = await connectServer({ url: server.url });
    expect(await redis.control.call('DBSIZE')).toBe(0);
    redis.close();
  });

  it.each([
    ['evicts', ['--maxmemory-policy', 'allkeys-lru'], { check: 'eviction policy', state: 'fault', found: 'allkeys-lru' }],
    ['keeps nothing', ['--appendonly', 'no', '--save', ''], { check: 'persistence', state: 'fault', found: 'none' }],
    ['has snapshots alone', ['--appendonly', 'no', '--save', '900 1'], { check: 'persistence', state: 'warning', found: 'snapshots alone' }],
    ['leaves writing to the system', ['--appendfsync', 'no'], { check: 'persistence', state: 'warning', found: 'append-only file, fsync no' }],
    ['has no limit of memory', ['--maxmemory', '0'], { check: 'memory', state: 'warning', found: expect.stringMatching(/no limit$/) }],
    ['is full', ['--maxmemory', '100kb'], { check: 'memory', state: 'fault', found: expect.stringMatching(/of 0\.1 MiB used$/) }],
    ['wants replicas that it has not', ['--min-replicas-to-write', '1'], { check: 'replicas', state: 'fault', found: '0 of 1 that must be there' }],
    ['closes idle connections', ['--timeout', '30'], { check: 'idle connections', state: 'warning', found: 'closed after 30 s' }],
  ])('names the fault of a server that %s', async (_, extra, finding) => {
    expect(faultsOf(await examinationOf(await serverWith(...extra)))).toEqual([finding]);
  });

  it('names a disk that cannot be written to', async () => {
    const server = await serverWith('--appendonly', 'no', '--save', '900 1');
    const redis = await connectServer({ url: server.url });
    open.push(async () => redis.close());
    rmSync(server.folder, { recursive: true });
    await redis.control.call('BGSAVE');
    const status = async (): Promise<string | null> => fieldOf(String(await redis.control.call('INFO')), 'rdb_last_bgsave_status');
    await waitFor(async () => (await status()) === 'err', { what: 'the snapshot to fail' });
    expect(faultsOf(await examinationOf(server))).toContainEqual({ check: 'writes to disk', state: 'fault', found: 'failed: rdb last bgsave' });
  });

  it('names the commands that the user may not run, and says what the server does not tell', async () => {
    const set = [['ACL', 'SETUSER', 'ann', 'on', '>secret', '~*', '&*', '+@all', '-xreadgroup', '-xgroup|create', '-config', '-slowlog']];
    const examination = await examinationOf(await serverWith(), { user: 'ann:secret', set });
    expect(faultsOf(examination)).toEqual([
      { check: 'idle connections', state: 'unknown', found: 'the server does not say' },
      { check: 'slow scripts', state: 'unknown', found: 'the server does not say' },
      { check: 'permissions', state: 'fault', found: 'refused: xreadgroup, xgroup create' },
    ]);
    expect(examination.ok).toBe(false);
  });

  it('does not know whether there are snapshots where settings are refused', async () => {
    const set = [['ACL', 'SETUSER', 'cy', 'on', '>secret', '~*', '&*', '+@all', '-config']];
    const examination = await examinationOf(await serverWith('--appendonly', 'no', '--save', ''), { user: 'cy:secret', set });
    const found = 'no append-only file; the server does not say whether it has snapshots';
    expect(faultsOf(examination)).toContainEqual({ check: 'persistence', state: 'unknown', found });
  });

  it('names a primary that has become a replica', async () => {
    const [server, other] = [await serverWith(), await serverWith()];
    const redis = await connectServer({ url: server.url });
    const streams = createStreams({ redis, prefix: 'spec', leaseMs: 600 });
    open.push(async () => {
      await streams.stop(500);
      redis.close();
    });
    await redis.control.call('REPLICAOF', '127.0.0.1', other.port);
    const examination = await createAdmin({ redis, prefix: 'spec', streams }).doctor();
    expect(faultsOf(examination)).toContainEqual({ check: 'role', state: 'fault', found: 'replica' });
    expect(examination.ok).toBe(false);
  });

  it.each([
    [-5_000, 'warning', /^[45]\.\d{3} s ahead of this machine's$/],
    [60_000, 'fault', /^-(?:59|60)\.\d{3} s behind this machine's$/],
  ])('names a clock of Redis that is %i ms away', async (stepMs, state, found) => {
    const server = await serverWith();
    const examination = await withClockSteppedBy(stepMs, () => examinationOf(server));
    expect(faultsOf(examination)).toEqual([{ check: 'clock of Redis', state, found: expect.stringMatching(found) }]);
  });

  it('names keys and channels of the prefix that the user may not touch', async () => {
    const set = [['ACL', 'SETUSER', 'bob', 'on', '>secret', '~other:*', '&other:*', '+@all']];
    const { findings } = await examinationOf(await serverWith(), { user: 'bob:secret', set });
    expect(findings.find(({ check }) => check === 'permissions')?.found).toMatch(/^refused: eval, exists, .*, spublish$/);
  });

  it('names scripts that held the server up', async () => {
    const set = [
      ['CONFIG', 'SET', 'slowlog-log-slower-than', '0'],
      ['EVAL', 'local sum = 0 for i = 1, 3000000 do sum = sum + i end return sum', '0'],
    ];
    const slow = (await examinationOf(await serverWith(), { set })).findings.find(({ check }) => check === 'slow scripts');
    expect(slow).toMatchObject({ state: 'warning', found: expect.stringMatching(/^\d+ in the slow log of the last day, up to \d+\.\d ms$/) });
  });

  it('gives each finding that is not as it must be an advice', async () => {
    const { findings } = await examinationOf(await serverWith('--maxmemory-policy', 'allkeys-lru', '--timeout', '1'));
    const without = findings.filter(({ state, advice }) => (state === 'fault' || state === 'warning') === (advice === null));
    expect(without).toEqual([]);
  });
});
