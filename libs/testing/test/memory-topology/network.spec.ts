import { expect, it } from '@jest/globals';
import type { RedisConnection, RedisFailure } from '@millrace/redis';
import { connectMemory, MemoryServer, type MemoryTopology, type Packet, type PacketFate, waitFor } from '@millrace/testing';

const outcomeOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => (error as RedisFailure).kind);

interface Place {
  readonly server: MemoryServer;
  readonly topology: MemoryTopology;
  readonly control: RedisConnection;
}

/** A process whose packets fare as the rule says. */
async function open(fate: (packet: Packet) => PacketFate): Promise<Place> {
  const server = new MemoryServer();
  const topology = await connectMemory(server, { name: 'spec', network: { fate } });
  return { server, topology, control: topology.control };
}

const untilReady = (connection: RedisConnection): Promise<boolean> => connection.whenReady(5_000);

it('a command whose request is lost is not executed, one whose reply is lost is; both are indeterminate, and the connection is made again', async () => {
  let losing: Packet['direction'] | null = null;
  const { server, control } = await open(({ direction }) => (direction === losing ? 'lost' : 0));
  for (const [direction, stored] of [['request', null], ['reply', 'v']] as const) {
    losing = direction;
    const { connectionEpoch } = control;
    expect(await outcomeOf(control.call('SET', direction, 'v'))).toBe('indeterminate');
    expect(control.connectionEpoch).toBe(connectionEpoch + 1);
    losing = null;
    expect(server.execute('GET', direction)).toBe(stored);
    expect(await outcomeOf(control.call('PING'))).toBe('unsent');
    expect(await untilReady(control)).toBe(true);
    expect(await control.call('PING')).toBe('PONG');
  }
});

it('packets arrive in their order, whatever their delays', async () => {
  const delays = [9, 3, 0, 6];
  const { control } = await open(() => delays[Math.floor(Math.random() * delays.length)]!);
  const order: number[] = [];
  await Promise.all(Array.from({ length: 20 }, async (_, index) => {
    expect(await control.call('XADD', 's', `1-${index + 1}`, 'f', 'v')).toBe(`1-${index + 1}`);
    order.push(index);
  }));
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

it('a silent network ends commands after 2 s, and the connection after 3 s', async () => {
  let isSilent = false;
  const { topology, control } = await open(({ direction }) => (isSilent && direction !== 'connect' ? 'silent' : 0));
  isSilent = true;
  const commands = [control.call('SET', 'k', 'v'), topology.publish.call('PING')].map(outcomeOf);
  expect(await Promise.all(commands)).toEqual(['indeterminate', 'indeterminate']);
  expect(control.isReady).toBe(true);
  await waitFor(() => control.connectionEpoch === 1, { what: 'the connection to be given up' });
  expect(control.lastError?.message).toContain('Socket timeout');
});

it('a connection that cannot be made tells why, and is tried until it can', async () => {
  let isDown = false;
  const { topology, control } = await open(({ direction }) => (isDown && direction === 'connect' ? 'lost' : 0));
  isDown = true;
  topology.lose();
  await waitFor(() => control.connectionEpoch >= 3, { what: 'an attempt to fail' });
  expect(control.lastError?.message).toBe('connect ECONNREFUSED');
  isDown = false;
  expect(await untilReady(control)).toBe(true);
  expect(control.lastError).toBeNull();
});

it('commands that a killed process has sent arrive, and a read of it that waits ends', async () => {
  const { server, topology, control } = await open(({ direction }) => (direction === 'request' ? 2 : 0));
  server.execute('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM');
  const reader = topology.blockingFor('s', 'read');
  await untilReady(reader);
  void outcomeOf(reader.call('XREADGROUP', 'GROUP', 'g', 'm', 'BLOCK', 0, 'STREAMS', 's', '>'));
  await waitFor(() => server.blockedClients === 1, { what: 'the read to wait' });
  void outcomeOf(control.call('SET', 'k', 'v'));
  topology.kill();
  await waitFor(() => server.blockedClients === 0 && server.execute('GET', 'k') === 'v', { what: 'the server to see the end' });
});
