import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LocalSentinels, onServer, type RedisTls, type SentinelTarget, type Topology } from '@millrace/redis';
import { Authority, testBinary, waitFor } from '@millrace/testing';
import { closeAll, connect, failure } from './connecting.js';

const KEY = 'spec:key';

let binary: string;
let authority: Authority;
let stranger: Authority;
/** All of them by name, and they ask for certificates. */
let named: LocalSentinels;
/** By address. */
let servers: LocalSentinels;
let sentinels: LocalSentinels;

beforeAll(async () => {
  binary = await testBinary();
  authority = new Authority();
  stranger = new Authority();
  const [byName, byAddress] = [authority.server('DNS:localhost', { asksClients: true }), authority.server('IP:127.0.0.1')];
  named = await LocalSentinels.start({ binary, tls: byName, sentinelTls: byName, hostname: 'localhost' });
  servers = await LocalSentinels.start({ binary, tls: byAddress, sentinels: 1 });
  sentinels = await LocalSentinels.start({ binary, sentinelTls: byAddress, sentinels: 1 });
});
afterEach(closeAll);
afterAll(async () => {
  await Promise.all([named, servers, sentinels].map((each) => each.stop()));
  for (const each of [authority, stranger]) each.remove();
});

interface Trust {
  readonly sentinel?: RedisTls;
  readonly server?: RedisTls;
  readonly host?: string;
}

function target(of: LocalSentinels, { sentinel, server, host = '127.0.0.1' }: Trust): SentinelTarget {
  const nodes = of.addresses.map(({ port }) => ({ host, port }));
  return { sentinel: { nodes, primary: of.primary, ...(sentinel ? { tls: sentinel } : {}) }, ...(server ? { tls: server } : {}) };
}

/** The certificate of this process, by that authority. */
function own(by: Authority): RedisTls {
  return by.trust(by.sign('client', 'DNS:client.test'));
}

function written(topology: Topology, value: string): Promise<unknown> {
  const write = (): Promise<unknown> => topology.publishFor(KEY).call('SET', KEY, value);
  return waitFor(async () => (await write()) === 'OK', { what: 'a primary to take a write', timeoutMs: 30_000 });
}

describe('a primary that Sentinels watch', () => {
  it.each([
    ['of all by name', () => named, () => target(named, { sentinel: own(authority), server: own(authority), host: 'localhost' })],
    ['of servers alone', () => servers, () => target(servers, { server: authority.trust() })],
    ['of Sentinels alone', () => sentinels, () => target(sentinels, { sentinel: authority.trust() })],
  ])('is found, and followed to its successor, with TLS %s', async (_, all, where) => {
    const topology = await connect(where());
    await written(topology, 'before');
    await all().failover();
    const next = await all().whoIsPrimary();
    const stored = (): Promise<unknown> => onServer(next, (call) => call('GET', KEY));
    await waitFor(async () => (await written(topology, 'after'), (await stored()) === 'after'), { what: 'the successor to have it' });
    await all().whenOk();
  });
});

describe('a start', () => {
  it.each<[string, () => SentinelTarget, string, RegExp]>([
    ['an authority that did not sign', () => target(sentinels, { sentinel: stranger.trust() }), 'self-signed certificate', /sentinel\.tls\.ca/],
    ['a certificate without the name', () => target(sentinels, { sentinel: authority.trust(), host: 'localhost' }), 'altnames', /sentinel\.tls\.servername/],
    ['no certificate of this process', () => target(named, { sentinel: authority.trust(), host: 'localhost' }), 'certificate required', /sentinel\.tls\.cert/],
  ])('says what is not trusted of Sentinels, and what to do: %s', async (_, wrong, why, advice) => {
    const error = await failure(wrong());
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/^The Sentinels .* do not trust each other/) });
    expect(error.message).toContain(why);
    expect(error.message).toMatch(advice);
  });

  it.each<[string, () => SentinelTarget, string, RegExp]>([
    ['an authority that did not sign', () => target(servers, { server: stranger.trust() }), 'self-signed certificate', / tls\.ca/],
    ['a certificate without the name', () => target(servers, { server: { ...authority.trust(), servername: 'other.test' } }), 'altnames', / tls\.servername/],
    ['no certificate of this process', () => target(named, { sentinel: own(authority), server: authority.trust(), host: 'localhost' }), 'certificate required', / tls\.cert/],
  ])('says what is not trusted of the primary, and what to do: %s', async (_, wrong, why, advice) => {
    const error = await failure(wrong());
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/^The Redis at .* do not trust each other/) });
    expect(error.message).toContain(why);
    expect(error.message).toMatch(advice);
  });

  it('says that one side alone may speak TLS, and which part of the options says so', async () => {
    const [toSentinels, toPrimary, ofSentinels, ofPrimary] = await Promise.all([
      target(sentinels, {}), target(servers, {}), target(servers, { sentinel: authority.trust(), server: authority.trust() }),
      target(sentinels, { sentinel: authority.trust(), server: authority.trust() }),
    ].map(failure));
    for (const error of [toSentinels, toPrimary, ofSentinels, ofPrimary]) expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE' });
    expect(toSentinels!.message).toMatch(/speaks TLS alone, set sentinel\.tls/);
    expect(toPrimary!.message).toMatch(/speaks TLS alone, set tls/);
    expect(ofSentinels!.message).toMatch(/speak.* TLS.*leave sentinel\.tls out/);
    expect(ofPrimary!.message).toMatch(/speak.* TLS.*leave tls out/);
  });
});
