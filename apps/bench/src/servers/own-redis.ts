import { LocalServer, serverBinaries } from '@millrace/redis';
import type { BenchServer } from './server.js';

/** A Redis with an append-only file that is written each second; null when none is on the PATH. */
export async function startRedis(maxmemory = '0'): Promise<BenchServer | null> {
  const [binary] = await serverBinaries();
  if (!binary) return null;
  const server = await LocalServer.start({ binary, appendonly: 'everysec', maxmemory });
  return { url: server.url, pid: server.pid, stop: () => server.stop() };
}
