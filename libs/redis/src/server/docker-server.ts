import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { asError } from '@millrace/core';
import { freePort } from './free-port.js';
import { GuardedProcess } from './guarded-process.js';
import { untilReady } from './readiness.js';

const IMAGE = 'redis:7';
const ENGINE_TIMEOUT_MS = 3_000;
const STOP_TIMEOUT_MS = 10_000;
/** The image may have to be downloaded first. */
const READY_TIMEOUT_MS = 120_000;

const run = promisify(execFile);

/** Whether a Docker engine answers this client within 3 seconds; if not, why: `docker info failed: ...`. */
export async function dockerProblem(docker: string): Promise<string | null> {
  try {
    await run(docker, ['info', '--format', '{{.ServerVersion}}'], { timeout: ENGINE_TIMEOUT_MS, killSignal: 'SIGKILL' });
    return null;
  } catch (thrown) {
    const { killed, stderr } = thrown as { killed?: boolean; stderr?: string };
    if (killed) return `no Docker engine answers within ${ENGINE_TIMEOUT_MS / 1000} s`;
    return `no Docker engine answers (${stderr?.trim().split('\n').at(-1) || String(thrown)})`;
  }
}

/** A Redis in a container of our own, on a free port of 127.0.0.1; removed with this process however that ends. */
export class DockerServer {
  readonly url: string;
  readonly #docker: string;
  readonly #folder: string;
  readonly #process: GuardedProcess;

  private constructor(docker: string, place: { port: number; folder: string }) {
    this.url = `redis://127.0.0.1:${place.port}`;
    this.#docker = docker;
    this.#folder = place.folder;
    const command = [docker, ...runArguments(basename(place.folder), place.port)];
    // Killing the client leaves its container running, so the guard removes that too; $0 is the folder, named like the container.
    this.#process = new GuardedProcess({ command, env: process.env, folder: place.folder, farewell: `"$1" rm -f "\${0##*/}"` });
  }

  /** @throws MillraceError REDIS_FAILED when the container does not start, or its image cannot be had, within 2 minutes */
  static async start(docker: string): Promise<DockerServer> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-redis-'));
    const server = new DockerServer(docker, { port: await freePort(), folder });
    try {
      await untilReady({ port: Number(new URL(server.url).port) }, server.#process, READY_TIMEOUT_MS);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Removes the container. May be called again. */
  async stop(): Promise<void> {
    await this.#process.end();
    await removeContainer(this.#docker, basename(this.#folder));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function removeContainer(docker: string, name: string): Promise<void> {
  try {
    await run(docker, ['rm', '-f', name], { timeout: STOP_TIMEOUT_MS, killSignal: 'SIGKILL' });
  } catch (thrown) {
    // It was never made, or --rm removes it already: then it is as we want it.
    if (!/No such container|already in progress/i.test(asError(thrown).message)) throw thrown;
  }
}

function runArguments(name: string, port: number): string[] {
  return [
    'run', '--rm', '--name', name, '-p', `127.0.0.1:${port}:6379`, IMAGE,
    'redis-server', '--save', '', '--maxmemory-policy', 'noeviction',
  ];
}
