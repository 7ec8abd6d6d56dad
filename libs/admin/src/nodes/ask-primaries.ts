import { asError, Semaphore } from '@millrace/core';
import type { PrimaryServer, RedisConnection, Topology } from '@millrace/redis';

/** Servers that are asked at once. */
const AT_ONCE = 16;

/** The answer of a server that has keys. */
export type NodeAnswer<T> =
  | { readonly node: string | null; readonly answer: T; readonly error: null }
  | { readonly node: string | null; readonly answer: null; readonly error: Error };

/**
 * Asks every server that has keys, a few at once. One that fails keeps nobody from the answers of the others.
 *
 * @returns by the names of the nodes
 */
export async function askPrimaries<T>(redis: Topology, ask: (server: RedisConnection) => Promise<T>): Promise<NodeAnswer<T>[]> {
  const places = new Semaphore(AT_ONCE);
  const asked = async ({ node, control }: PrimaryServer): Promise<NodeAnswer<T>> => {
    await places.acquire();
    try {
      return { node, answer: await ask(control), error: null };
    } catch (thrown) {
      return { node, answer: null, error: asError(thrown) };
    } finally {
      places.release();
    }
  };
  const primaries = [...redis.primaries()].sort((one, other) => (String(one.node) < String(other.node) ? -1 : 1));
  return Promise.all(primaries.map(asked));
}
