import { MillraceError } from '@millrace/core';
import { LocalServer, type LocalServerOptions, serverBinaries } from '@millrace/redis';

export type TestRedisOptions = Omit<LocalServerOptions, 'binary' | 'env'>;

/**
 * A Redis server for one test: on a free port of 127.0.0.1, empty, `noeviction`, gone with the test process however that
 * ends.
 */
export class TestRedis {
  readonly url: string;
  readonly port: number;
  /** Its data and its `server.log`. */
  readonly folder: string;
  readonly #server: LocalServer;

  constructor(server: LocalServer) {
    this.url = server.url;
    this.port = server.port;
    this.folder = server.folder;
    this.#server = server;
  }

  /** The id of the process that runs now, or ran last; another one after {@link restart}. */
  get pid(): number {
    return this.#server.pid;
  }

  get isRunning(): boolean {
    return this.#server.isRunning;
  }

  /** Crashes the server (SIGKILL); resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#server.kill();
  }

  /** Starts the server again on the same port, ending it before if it runs; resolves when it has loaded its data and answers. */
  async restart(): Promise<void> {
    await this.#server.restart();
  }

  /** Freezes the server (SIGSTOP): connections stay open and nothing answers. */
  pause(): void {
    this.#server.freeze();
  }

  /** Lets a paused server go on (SIGCONT). */
  resume(): void {
    this.#server.thaw();
  }

  /** Ends the server and removes its folder. May be called again. */
  async stop(): Promise<void> {
    await this.#server.stop();
  }
}

/**
 * Starts a Redis server and resolves when it answers. The caller must stop it.
 *
 * @throws MillraceError REDIS_NOT_FOUND without a redis-server or valkey-server on the PATH, REDIS_FAILED when it does not start
 */
export async function startTestRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  return new TestRedis(await LocalServer.start({ ...options, binary: await testBinary() }));
}

/**
 * The server that tests start.
 *
 * @throws MillraceError REDIS_NOT_FOUND
 */
export async function testBinary(): Promise<string> {
  const [binary] = await serverBinaries();
  if (!binary) throw new MillraceError('REDIS_NOT_FOUND', 'Tests need a redis-server or valkey-server on the PATH.');
  return binary;
}
