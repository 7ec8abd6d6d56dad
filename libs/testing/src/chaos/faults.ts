import type { TcpProxy } from '../tcp-proxy.js';
import type { TestRedis } from '../test-redis.js';
import type { CrewProcess } from './crew.js';

/** Longest time that a reply is awaited which is to be lost. */
const REPLY_WAIT_MS = 1_000;

const lasting = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const shortly = (random: () => number): Promise<void> => lasting(20 + random() * 300);

/** Redis executes a command, and its client never hears of it. */
export async function loseReply(proxy: TcpProxy): Promise<void> {
  // A reply may never come: then the fault is over all the same.
  await Promise.race([proxy.dropReplies(), lasting(REPLY_WAIT_MS)]);
  await proxy.pass();
}

/** Redis seems to be down for up to 320 ms. */
export async function refuse(proxy: TcpProxy, random: () => number): Promise<void> {
  await proxy.refuse();
  await shortly(random);
  await proxy.pass();
}

/** Nothing arrives for up to 320 ms, then the connections are reset. */
export async function swallow(proxy: TcpProxy, random: () => number): Promise<void> {
  proxy.blackHole();
  await shortly(random);
  // Bytes that were swallowed are lost, not late.
  proxy.reset();
  await proxy.pass();
}

/** A process stands still for 1.2 to 3.2 leases: others take it for dead after one, and then need some time to take over. */
export async function freeze(process: Pick<CrewProcess<unknown>, 'signal'>, leaseMs: number, random: () => number): Promise<void> {
  process.signal('SIGSTOP');
  await lasting(leaseMs * (1.2 + random() * 2));
  process.signal('SIGCONT');
}

/** Redis stands still, for shorter and longer than the time-out of commands. */
export async function freezeRedis(server: TestRedis, random: () => number): Promise<void> {
  server.pause();
  await lasting(random() < 0.7 ? 200 : 2_500);
  server.resume();
}

/** Redis crashes, and starts again with what it has stored. */
export async function crashRedis(server: TestRedis): Promise<void> {
  await server.kill();
  await server.restart();
}
