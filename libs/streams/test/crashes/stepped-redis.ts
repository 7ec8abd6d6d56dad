import { execFile } from 'node:child_process';
import { mkdtemp, open, type FileHandle, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findOnPath, LocalServer, serverBinaries } from '@millrace/redis';
import { TestRedis, type TestRedisOptions } from '@millrace/testing';

const SOURCE = fileURLToPath(new URL('./fixtures/stepped-clock.c', import.meta.url));
const run = promisify(execFile);

/** The C compiler that a stepped clock needs, or null where there is none: then its tests are skipped. */
export const compiler = await findOnPath('cc', process.env);

/** A Redis whose wall clock can be stepped; its monotonic clock goes on. */
export class SteppedRedis extends TestRedis {
  readonly #clock: SteppedClock;

  constructor(server: LocalServer, clock: SteppedClock) {
    super(server);
    this.#clock = clock;
  }

  /** Sets the clock forward, or back by less than 0, from where it is. */
  step(ms: number): Promise<void> {
    return this.#clock.step(ms);
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.#clock.remove();
  }
}

/** Starts a Redis as {@link startTestRedis} does; the caller stops it. */
export async function startSteppedRedis(options: TestRedisOptions = {}): Promise<SteppedRedis> {
  const [binary] = await serverBinaries();
  if (!binary || !compiler) throw new Error('A stepped Redis needs a redis-server and a C compiler, "cc", on the PATH.');
  const clock = await SteppedClock.make(compiler);
  try {
    return new SteppedRedis(await LocalServer.start({ ...options, binary, env: { ...process.env, ...clock.env } }), clock);
  } catch (error) {
    await clock.remove();
    throw error;
  }
}

/** The shim that a server is started with, and the file with the offset of its clock. */
class SteppedClock {
  /** The server's environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly #folder: string;
  readonly #file: FileHandle;
  #offsetMs = 0;

  private constructor(folder: string, file: FileHandle) {
    this.#folder = folder;
    this.#file = file;
    this.env = { LD_PRELOAD: shimIn(folder), STEPPED_CLOCK: offsetIn(folder) };
  }

  static async make(cc: string): Promise<SteppedClock> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-clock-'));
    await run(cc, ['-shared', '-fPIC', '-O2', '-o', shimIn(folder), SOURCE]);
    await writeFile(offsetIn(folder), Buffer.alloc(8));
    return new SteppedClock(folder, await open(offsetIn(folder), 'r+'));
  }

  async step(ms: number): Promise<void> {
    this.#offsetMs += ms;
    const offset = Buffer.alloc(8);
    offset.writeBigInt64LE(BigInt(this.#offsetMs) * 1_000n);
    await this.#file.write(offset, 0, offset.length, 0);
  }

  async remove(): Promise<void> {
    await this.#file.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function shimIn(folder: string): string {
  return join(folder, 'stepped-clock.so');
}

function offsetIn(folder: string): string {
  return join(folder, 'offset');
}
