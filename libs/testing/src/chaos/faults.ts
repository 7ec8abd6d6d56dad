import type { Network } from '../network.js';
import type { CrewProcess } from './crew.js';

/** Longest time that a reply is awaited which is to be lost. */
const REPLY_WAIT_MS = 1_000;

export const lasting = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const shortly = (random: () => number): Promise<void> => lasting(20 + random() * 300);

/** Redis executes a command, and its client never hears of it. */
export async function loseReply(network: Network): Promise<void> {
  // A reply may never come: then the fault is over all the same.
  await Promise.race([network.dropReplies(), lasting(REPLY_WAIT_MS)]);
  await network.pass();
}

/** Redis seems to be down for up to 320 ms. */
export async function refuse(network: Network, random: () => number): Promise<void> {
  await network.refuse();
  await shortly(random);
  await network.pass();
}

/** Nothing arrives for up to 320 ms, then the connections are reset. */
export async function swallow(network: Network, random: () => number): Promise<void> {
  network.blackHole();
  await shortly(random);
  // Bytes that were swallowed are lost, not late.
  network.reset();
  await network.pass();
}

/** A process stands still for 1.2 to 3.2 leases: others take it for dead after one, and then need some time to take over. */
export async function freeze(process: Pick<CrewProcess<unknown>, 'signal'>, leaseMs: number, random: () => number): Promise<void> {
  process.signal('SIGSTOP');
  await lasting(leaseMs * (1.2 + random() * 2));
  process.signal('SIGCONT');
}
