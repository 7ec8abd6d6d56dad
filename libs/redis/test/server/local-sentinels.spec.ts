import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { isPortFree, LocalSentinels, type LocalSentinelsOptions, type LocalServer, onServer, serverBinaries } from '@millrace/redis';
import { expectNoChildren } from '@millrace/testing';

const PASSWORD = 'of servers';
let binary: string;
let all: LocalSentinels | undefined;

beforeAll(async () => void ([binary] = (await serverBinaries()) as [string]));
afterEach(() => all?.stop());
afterAll(() => expectNoChildren());

async function start(options: Partial<LocalSentinelsOptions> = {}): Promise<[LocalSentinels, LocalServer]> {
  all = await LocalSentinels.start({ binary, ...options });
  return [all, await all.whoIsPrimary()];
}

describe('local Sentinels', () => {
  it('name a replica in the place of a primary that is killed, which follows it when it is back, and keep what was stored', async () => {
    const [set, primary] = await start({ password: PASSWORD, sentinelPassword: 'of-sentinels', appendonly: 'always' });
    const onEach = (server: LocalServer, ...words: [string, ...(string | number)[]]): Promise<unknown> =>
      onServer({ port: server.port, password: PASSWORD }, (call) => call(...words));
    await onServer({ port: primary.port, password: PASSWORD }, async (call) => {
      await call('SET', 'key', 'kept');
      expect(await call('WAIT', 1, 5_000)).toBe(1);
    });
    await primary.kill();
    await set.untilPrimaryIsNot(primary);
    const next = await set.whoIsPrimary();
    await primary.restart();
    await set.whenOk();
    expect(await onEach(primary, 'INFO', 'replication')).toContain(`master_port:${next.port}`);
    for (const server of set.servers) expect(await onEach(server, 'GET', 'key')).toBe('kept');
  });

  it('change the primary when they are told to, and when it stands still, though one of them stands still too', async () => {
    const [set, first] = await start();
    set.sentinels[0]!.freeze();
    await set.failover();
    const second = await set.whoIsPrimary();
    expect(second).not.toBe(first);
    set.sentinels[0]!.thaw();
    await set.whenOk();
    set.sentinels[1]!.freeze();
    second.freeze();
    await set.untilPrimaryIsNot(second);
    set.sentinels[1]!.thaw();
    second.thaw();
    await set.whenOk();
  });

  it('go on without one that is killed, which knows the primary when it is back', async () => {
    const [set, first] = await start();
    const [killed] = set.sentinels;
    await killed!.kill();
    expect(await isPortFree(killed!.port)).toBe(false);
    await set.failover();
    await killed!.restart();
    await set.whenOk();
    expect(await onServer(killed!.at, (call) => call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', set.primary))).not.toContain(String(first.port));
  });

  it('leave no process and no folder', async () => {
    const [set] = await start();
    const folders = [...set.servers, ...set.sentinels].map(({ folder }) => folder);
    await set.sentinels[0]!.kill();
    set.sentinels[1]!.freeze();
    await set.stop();
    await expectNoChildren();
    expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
  });
});

describe('local Sentinels whose start does not go well', () => {
  let workshop: string;

  beforeAll(async () => void (workshop = await mkdtemp(join(tmpdir(), 'millrace-test-'))));
  afterAll(() => rm(workshop, { recursive: true }));

  /** A server that, as a Sentinel, writes these words and ends: the first time, or each time. */
  async function failing(words: string, often: 'once' | 'always'): Promise<string> {
    const path = join(workshop, `redis-server-${often}`);
    const ifOnce = often === 'once' ? '&& [ ! -e "$0.ran" ]' : '';
    const script = `#!/bin/sh\nif [ "$2" = --sentinel ] ${ifOnce}; then touch "$0.ran"; echo "${words}" >&2; exit 1; fi\nexec ${binary} "$@"\n`;
    await writeFile(path, script);
    await chmod(path, 0o755);
    return path;
  }

  it('take another port when somebody else has taken one', async () => {
    const [set] = await start({ binary: await failing('Address already in use', 'once'), replicas: 0, sentinels: 2 });
    expect(set.sentinels).toHaveLength(2);
  });

  it('say why, and leave nothing', async () => {
    const ofOurs = async (): Promise<string[]> => (await readdir(tmpdir())).filter((name) => name.startsWith('millrace-sentinel-'));
    const before = new Set(await ofOurs());
    const broken = await failing('no such luck', 'always');
    await expect(LocalSentinels.start({ binary: broken })).rejects.toThrow('no such luck');
    await expectNoChildren();
    expect((await ofOurs()).filter((name) => !before.has(name))).toEqual([]);
  });
});
