import { type RedisConnection, redisConnection } from '@millrace/redis';
import { startTestRedis, TcpProxy, type TestRedis, waitFor } from '@millrace/testing';
import { Bed } from './bed.js';

/** A connection to a server that may be a replica. */
export async function connectionTo({ url }: TestRedis): Promise<RedisConnection> {
  const connection = redisConnection({ url }, 'replica', 'control');
  connection.connect();
  if (!(await connection.whenReady(10_000))) throw new Error(`There is no Redis at ${url}.`);
  return connection;
}

/** A primary and its replica behind one address, which leads to the primary. */
export class ReplicatedBed extends Bed {
  replica!: TestRedis;
  address!: TcpProxy;
  #onReplica!: RedisConnection;

  override get url(): string {
    return this.address.url;
  }

  /** One command to the replica. */
  onReplica(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#onReplica.call(name, ...args);
  }

  /** Resolves when the replica has all that the primary has. */
  async inStep(): Promise<void> {
    const answers = async (): Promise<boolean> => {
      await this.command('SET', 'in-step', 1);
      return Number(await this.command('WAIT', 1, 100)) === 1;
    };
    await waitFor(answers, { what: 'the replica to follow' });
  }

  /** Cuts the replica off: later writes are the tail that a failover loses. */
  async cutReplication(): Promise<void> {
    await this.onReplica('REPLICAOF', '127.0.0.1', 1);
  }

  /** The replica takes over, and the address leads to it; present connections are cut. */
  async failOver(): Promise<void> {
    await this.promote();
    this.address.reset();
    await waitFor(() => this.command('PING').catch(() => null), { what: 'the address to lead to the new primary' });
  }

  /** The replica takes over, and gets new connections. Present ones stay with the old primary, now {@link replica}. */
  async promote(): Promise<void> {
    await this.onReplica('REPLICAOF', 'NO', 'ONE');
    this.address.retarget(this.replica.url);
    [this.server, this.replica] = [this.replica, this.server];
  }

  /** One command to the former primary, over a connection of its own. */
  async onOld(name: string, ...args: (string | number)[]): Promise<unknown> {
    const old = await connectionTo(this.replica);
    return old.call(name, ...args).finally(() => old.close());
  }

  /** Makes the former primary the replica, also when it was killed; resolves when it follows. */
  async follow(): Promise<void> {
    if (!this.replica.isRunning) await this.replica.restart();
    this.replica.resume();
    this.#onReplica.close();
    this.#onReplica = await connectionTo(this.replica);
    await this.onReplica('REPLICAOF', '127.0.0.1', this.server.port);
    await this.inStep();
  }

  protected override async startServers(): Promise<void> {
    const options = { ...this.options, extra: ['--repl-diskless-sync-delay', '0', ...(this.options.extra ?? [])] };
    [this.server, this.replica] = await Promise.all([startTestRedis(options), startTestRedis(options)]);
    this.address = await TcpProxy.start(this.server.url);
    this.#onReplica = await connectionTo(this.replica);
  }

  protected override async stopServers(): Promise<void> {
    this.#onReplica.close();
    await this.address.stop();
    await Promise.all([this.server.stop(), this.replica.stop()]);
  }
}
