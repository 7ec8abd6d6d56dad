import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CAPABILITIES, connectServer, type ServerFacts, type StandaloneTopology } from '@millrace/redis';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import { FakeServer, infoReply } from './fake-server.js';

let redis: TestRedis;
let admin: StandaloneTopology;
const fakes: FakeServer[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  admin = await connectServer({ url: redis.url });
});
afterAll(async () => {
  admin.close();
  await redis.stop();
});
afterEach(async () => {
  await Promise.all(fakes.splice(0).map((server) => server.stop()));
});

async function factsOf(url: string): Promise<ServerFacts> {
  const connections = await connectServer({ url });
  connections.close();
  return connections.server;
}

/** A server that knows these commands, by its answers to COMMAND or, where it has no COMMAND, to the commands themselves. */
async function factsOfServer(known: readonly string[], how: 'INFO' | 'no COMMAND', info: Record<string, string> = {}): Promise<ServerFacts> {
  const fake = await FakeServer.speaking((command) => {
    if (command === 'INFO') return infoReply({ redis_version: '7.2.4', ...info });
    if (command === 'COMMAND') return how === 'INFO' ? commandReply(known) : "-ERR unknown command 'COMMAND'\r\n";
    if (!['WAITAOF', 'XACKDEL', 'XNACK'].includes(command)) return '+OK\r\n';
    return known.includes(command.toLowerCase()) ? `-ERR wrong number of arguments for '${command}' command\r\n` : `-ERR unknown command '${command}'\r\n`;
  });
  fakes.push(fake);
  return factsOf(fake.url);
}

/** The answer to COMMAND INFO of the three commands, which DOCS of one is taken for as well. */
function commandReply(known: readonly string[]): string {
  const items = ['waitaof', 'xackdel', 'xnack'].map((name) => (known.includes(name) ? `*2\r\n$${name.length}\r\n${name}\r\n$5\r\nCLAIM\r\n` : '*-1\r\n'));
  return `*3\r\n${items.join('')}`;
}

async function tried(command: string): Promise<string> {
  return admin.control.call(command).then(() => 'answered', (error: unknown) => String(error));
}

describe('the capabilities of a server', () => {
  it('are the commands that it takes, whatever its version', async () => {
    const { capabilities } = admin.server;
    for (const command of ['waitaof', 'xackdel', 'xnack'] as const) {
      expect([command, (await tried(command)).includes('wrong number')]).toEqual([command, capabilities.has(command)]);
    }
    const claim = await admin.control.call('XREADGROUP', 'GROUP', 'g', 'm', 'CLAIM', '1', 'STREAMS', 'missing', '>').catch(String);
    expect(String(claim).includes('NOGROUP')).toBe(capabilities.has('xreadgroup-claim'));
    expect([...capabilities].filter((capability) => !CAPABILITIES.includes(capability))).toEqual([]);
  });

  it('are told by COMMAND, options among them', async () => {
    expect((await factsOfServer([], 'INFO')).capabilities).toEqual(new Set());
    expect((await factsOfServer(['xackdel'], 'INFO')).capabilities).toEqual(new Set(['xackdel', 'xreadgroup-claim']));
    expect((await factsOfServer(['waitaof', 'xackdel', 'xnack'], 'INFO')).capabilities).toEqual(new Set(CAPABILITIES));
  });

  it('are found without COMMAND, but for options', async () => {
    expect((await factsOfServer([], 'no COMMAND')).capabilities).toEqual(new Set());
    expect((await factsOfServer(['waitaof', 'xnack'], 'no COMMAND')).capabilities).toEqual(new Set(['waitaof', 'xnack']));
  });

  it('are the same for a user who may run neither COMMAND nor them', async () => {
    const rules = ['on', '>pw', '~*', '+@all', '-command'];
    await admin.control.call('ACL', 'SETUSER', 'blind', ...rules, ...[...admin.server.capabilities].filter((name) => !name.includes('-')).map((name) => `-${name}`));
    const facts = await factsOf(`redis://blind:pw@127.0.0.1:${redis.port}`);
    expect(facts).toEqual(admin.server);
  });
});

describe('the product', () => {
  it.each([
    [{ redis_version: '8.2.3' }, 'Redis 8.2.3'],
    [{ redis_version: '7.2.4', server_name: 'valkey', valkey_version: '8.1.1' }, 'Valkey 8.1.1'],
    [{ redis_version: '7.2.4', server_name: 'other' }, 'other 7.2.4'],
  ])('is for %p: %s', async (info, product) => {
    expect((await factsOfServer([], 'INFO', info)).product).toBe(product);
  });
});
