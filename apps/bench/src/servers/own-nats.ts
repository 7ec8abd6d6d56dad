import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOnPath, freePort, GuardedProcess } from '@millrace/redis';
import { connect } from '@nats-io/transport-node';
import type { BenchServer } from './server.js';

const READY_TRIES = 100;
const READY_WAIT_MS = 50;

/** A NATS server with JetStream on disk; null when no nats-server is on the PATH. */
export async function startNats(): Promise<BenchServer | null> {
  const binary = await findOnPath('nats-server', process.env);
  if (!binary) return null;
  const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), 'millrace-nats-'))];
  const command = [binary, '-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder];
  const server = new GuardedProcess({ command, env: process.env, folder });
  const url = `nats://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    await server.end();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const waiting = { waitOnFirstConnect: true, reconnectTimeWait: READY_WAIT_MS, maxReconnectAttempts: READY_TRIES };
    const connection = await connect({ servers: url, ...waiting });
    await connection.close();
    return { url, pid: server.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
