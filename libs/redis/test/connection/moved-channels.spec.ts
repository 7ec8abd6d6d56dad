import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connectRedis, LocalCluster, type LocalServer, onServer, redisConnection, type RedisConnection, serverBinaries, slotOf } from '@millrace/redis';
import { expectNoChildren, uniqueName, waitFor } from '@millrace/testing';

let cluster: LocalCluster;
const endings: (() => void)[] = [];

beforeAll(async () => {
  const [binary] = (await serverBinaries()) as [string];
  cluster = await LocalCluster.start({ binary, primaries: 2, replicas: 0 });
});
afterEach(() => {
  for (const end of endings.splice(0)) end();
});
afterAll(async () => {
  await cluster.stop();
  await expectNoChildren();
});

/** @returns `ready`, `lost` and the texts of messages, as they come on this connection: one that closes is lost later */
function heardOn(connection: RedisConnection): string[] {
  const heard: string[] = [];
  endings.push(() => connection.close());
  connection.watch({
    ready: () => heard.push('ready'),
    lost: () => heard.push('lost'),
    message: (_channel, text) => heard.push(text),
  });
  return heard;
}

function ring(node: LocalServer, channel: string, text: string): Promise<unknown> {
  return onServer(node, (call) => call('SPUBLISH', channel, text));
}

async function places(channel: string): Promise<{ slot: number; from: LocalServer; to: LocalServer }> {
  const slot = slotOf(channel);
  const from = await cluster.primaryOf(slot);
  return { slot, from, to: (await cluster.primaries()).find((node) => node !== from)! };
}

interface Again {
  readonly connection: RedisConnection;
  readonly channel: string;
  readonly node: LocalServer;
  readonly heard: readonly string[];
}

/** Resolves when the connection is subscribed again, and hears what comes. The first tries may go to another node. */
async function heardAgain({ connection, channel, node, heard }: Again): Promise<void> {
  await waitFor(async () => {
    if (!(await connection.whenReady(1_000))) return false;
    await connection.subscribe([channel]).catch(() => undefined);
    return (await ring(node, channel, 'after')) === 1;
  }, { what: 'a listener on the node' });
  await waitFor(() => heard.includes('after'), { what: 'the message' });
}

describe('a channel whose slot goes to another node', () => {
  it('makes the connection count as lost, and ready again, though it stays', async () => {
    const channel = `{${uniqueName('slot')}}:ring`;
    const { slot, from, to } = await places(channel);
    const connection = redisConnection({ url: from.url }, uniqueName('spec'), 'listening');
    const heard = heardOn(connection);
    connection.connect();
    expect(await connection.whenReady(10_000)).toBe(true);
    await connection.subscribe([channel]);
    expect(await ring(from, channel, 'before')).toBe(1);
    await waitFor(() => heard.includes('before'), { what: 'the first message' });
    const { connectionEpoch } = connection;
    await cluster.migrate([slot], to);
    await waitFor(() => heard.length === 4, { what: 'the loss' });
    expect(heard).toEqual(['ready', 'before', 'lost', 'ready']);
    expect(connection.connectionEpoch).toBeGreaterThan(connectionEpoch);
    expect(await connection.call('PING')).toBe('PONG');
  });

  it('is lost by the listener of the whole Cluster, which hears it on the new node when it has subscribed again', async () => {
    const channel = `{${uniqueName('slot')}}:ring`;
    const { slot, from, to } = await places(channel);
    const redis = await connectRedis({ url: from.url });
    endings.push(() => redis.close());
    const connection = redis.listening('spec');
    const heard = heardOn(connection);
    expect(await connection.whenReady(10_000)).toBe(true);
    await connection.subscribe([channel]);
    expect(await ring(from, channel, 'before')).toBe(1);
    await cluster.migrate([slot], to);
    await waitFor(() => heard.includes('lost'), { what: 'the loss' });
    await heardAgain({ connection, channel, node: to, heard });
    expect(heard.indexOf('ready', heard.indexOf('lost'))).toBeGreaterThan(0);
  });

  it('is lost by the listener of the whole Cluster when its connection is cut, and heard when it has subscribed again', async () => {
    const channel = `{${uniqueName('slot')}}:ring`;
    const { from } = await places(channel);
    const redis = await connectRedis({ url: from.url });
    endings.push(() => redis.close());
    const connection = redis.listening('spec');
    const heard = heardOn(connection);
    await connection.whenReady(10_000);
    await connection.subscribe([channel]);
    await onServer(from, (call) => call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    await waitFor(() => heard.includes('lost'), { what: 'the loss' });
    await heardAgain({ connection, channel, node: from, heard });
  });
});
