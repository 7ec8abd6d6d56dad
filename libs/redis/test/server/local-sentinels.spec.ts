import { afterAll, afterEach, beforeAll, expect, it, describe } from '@jest/globals';
import { LocalSentinels, type LocalSentinelsOptions, type LocalServer, onServer, serverBinaries } from '@millrace/redis';
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
  it('name a replica in the place of a primary that is killed, which follows it when it is back', async () => {
    const primary = await start({ password: PASSWORD, sentinelPassword: 'of-sentinels' });
    await primary.kill();
    await all.untilPrimaryIsNot(primary);
    const next = await all.whoIsPrimary();
    await primary.restart();
    await all.whenOk();
    const replication = await onServer({ port: primary.port, password: PASSWORD }, (call) => call('INFO', 'replication'));
    expect(replication).toContain(`master_port:${next.port}`);
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
