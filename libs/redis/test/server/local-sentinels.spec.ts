import { afterAll, afterEach, beforeAll, expect, it, describe } from '@jest/globals';
import { type LocalPort, LocalSentinels, type LocalSentinelsOptions, type LocalServer, onServer, serverBinaries } from '@millrace/redis';
import { expectNoChildren } from '@millrace/testing';

const PASSWORD = 'of servers';
let binary: string;
let all: LocalSentinels;

beforeAll(async () => void ([binary] = (await serverBinaries()) as [string]));
afterEach(() => all.stop());
afterAll(() => expectNoChildren());

async function start(options: Partial<LocalSentinelsOptions> = {}): Promise<LocalServer> {
  all = await LocalSentinels.start({ binary, ...options });
  return all.whoIsPrimary();
}

describe('local Sentinels', () => {
  it('name a replica in the place of a primary that is killed, and keep what was stored when that is back', async () => {
    const primary = await start({ password: PASSWORD, sentinelPassword: 'of-sentinels', appendonly: 'always' });
    const at = (server: LocalServer): LocalPort => ({ port: server.port, password: PASSWORD });
    await onServer(at(primary), async (call) => {
      await call('SET', 'key', 'kept');
      await call('WAIT', 1, 5_000);
    });
    await primary.kill();
    await all.untilPrimaryIsNot(primary);
    await primary.restart();
    await all.whenOk();
    for (const server of all.servers) expect(await onServer(at(server), (call) => call('GET', 'key'))).toBe('kept');
  });

  it('change the primary when they are told to, and when it stands still, though one of them stands still too', async () => {
    const first = await start();
    await all.failover();
    const second = await all.whoIsPrimary();
    expect(second).not.toBe(first);
    await all.whenOk();
    all.sentinels[0]!.freeze();
    second.freeze();
    await all.untilPrimaryIsNot(second);
    all.sentinels[0]!.thaw();
    second.thaw();
    await all.whenOk();
  });
});
