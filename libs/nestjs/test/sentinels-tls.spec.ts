import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectRedis, LocalSentinels, type SentinelTarget } from '@millrace/redis';
import { Authority, testBinary } from '@millrace/testing';
import { readSettings } from '../src/config/settings.js';

let authority: Authority;
let stranger: Authority;
/** Sentinels that speak TLS alone and ask for a certificate, of a primary that speaks none. */
let sentinels: LocalSentinels;

beforeAll(async () => {
  authority = new Authority();
  stranger = new Authority();
  const sentinelTls = authority.server('DNS:sentinel.test', { asksClients: true });
  sentinels = await LocalSentinels.start({ binary: await testBinary(), sentinels: 1, sentinelTls });
});
afterAll(async () => {
  await sentinels.stop();
  for (const each of [authority, stranger]) each.remove();
});

function targetBy(env: NodeJS.ProcessEnv): SentinelTarget {
  const nodes = sentinels.addresses.map(({ port }) => `127.0.0.1:${port}`).join();
  return readSettings({}, { REDIS_SENTINELS: nodes, REDIS_SENTINEL_PRIMARY: sentinels.primary, ...env }).redis as SentinelTarget;
}

describe('Sentinels that speak TLS, beside a primary that speaks none', () => {
  it('are asked with the certificates that the environment names for them', async () => {
    const { cert, key } = authority.sign('client', 'DNS:client.test');
    const pair = { MILLRACE_REDIS_SENTINEL_CERT: cert, MILLRACE_REDIS_SENTINEL_KEY: key };
    const own = { MILLRACE_REDIS_SENTINEL_CA: authority.ca, ...pair };
    const target = targetBy({ ...own, MILLRACE_REDIS_SENTINEL_SERVERNAME: 'sentinel.test' });
    const topology = await connectRedis(target);
    await topology.ping();
    topology.close();
    const named = { message: expect.stringContaining('MILLRACE_REDIS_SENTINEL_SERVERNAME') };
    await expect(connectRedis(targetBy(own))).rejects.toMatchObject(named);
  });

  it('are refused where they are trusted by nobody who is named, with the variable that names one', async () => {
    const target = targetBy({ REDIS_SENTINEL_TLS: '1', MILLRACE_REDIS_SENTINEL_SERVERNAME: 'sentinel.test' });
    await expect(connectRedis(target)).rejects.toMatchObject({ message: expect.stringContaining('MILLRACE_REDIS_SENTINEL_CA') });
    const other = targetBy({ MILLRACE_REDIS_SENTINEL_CA: stranger.ca, MILLRACE_REDIS_SENTINEL_SERVERNAME: 'sentinel.test' });
    await expect(connectRedis(other)).rejects.toMatchObject({ message: expect.stringContaining('MILLRACE_REDIS_SENTINEL_CA') });
  });

  it('say nothing to a process that asks for no TLS, which names the variable', async () => {
    await expect(connectRedis(targetBy({}))).rejects.toMatchObject({ message: expect.stringContaining('REDIS_SENTINEL_TLS=1') });
  });
});
