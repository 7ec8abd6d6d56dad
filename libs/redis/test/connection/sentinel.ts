import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverBinaries } from '@millrace/redis';
import { freePort } from '@millrace/testing';

/** A Sentinel that watches the Redis on a port. */
export class Sentinel {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#process = child;
  }

  static async start(watched: number): Promise<Sentinel> {
    const [[binary], port, folder] = await Promise.all([serverBinaries(), freePort(), mkdtemp(join(tmpdir(), 'sentinel-'))]);
    const file = join(folder, 'sentinel.conf');
    await writeFile(file, `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor main 127.0.0.1 ${watched} 1\n`);
    return new Sentinel(port, folder, spawn(binary!, [file, '--sentinel'], { stdio: 'ignore' }));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill();
    await ended;
    await rm(this.#folder, { recursive: true });
  }
}
