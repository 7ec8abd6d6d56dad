import { type PayloadClass, topicOf } from '@millrace/core';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import type { DeadLetterRecord, GroupState, StreamsOptions } from '@millrace/streams';
import { startTestRedis, TcpProxy, type TestRedis, type TestRedisOptions, waitFor } from '@millrace/testing';
import { type GroupPartition, groupPartition } from '../src/consume/group-partition.js';
import { type Process, startProcess } from './fixture.js';

export type StartOptions = Partial<Omit<StreamsOptions, 'redis' | 'prefix'>>;

/** A Redis server with processes that speak to it under one prefix, and direct access. It needs no runner of tests. */
export class Ground {
  server!: TestRedis;
  prefix!: string;
  protected readonly options: TestRedisOptions;
  #direct!: StandaloneTopology;
  #processes: Process[] = [];
  #proxies: TcpProxy[] = [];

  constructor(options: TestRedisOptions = {}) {
    this.options = options;
  }

  /** The address of Redis for all processes. */
  get url(): string {
    return this.server.url;
  }

  async open(): Promise<void> {
    await this.startServers();
    this.#direct = await connectServer({ url: this.url, name: 'spec' });
  }

  /** Stops the processes, and leaves the server. */
  async clear(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((process) => process.stop()));
    await Promise.all(this.#proxies.splice(0).map((proxy) => proxy.stop()));
  }

  async close(): Promise<void> {
    this.#direct.close();
    await this.stopServers();
  }

  async start(options: StartOptions = {}): Promise<Process> {
    return this.#add(await startProcess(this.url, { prefix: this.prefix, leaseMs: 300, ...options }));
  }

  /** A process whose own network can be broken. */
  async startBehindProxy(options: StartOptions = {}): Promise<{ process: Process; proxy: TcpProxy }> {
    const proxy = await TcpProxy.start(this.url);
    this.#proxies.push(proxy);
    return { proxy, process: this.#add(await startProcess(proxy.url, { prefix: this.prefix, leaseMs: 300, ...options })) };
  }

  /** One command to Redis, past the tested code. */
  command(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#direct.control.call(name, ...args);
  }

  place(topic: PayloadClass, group: string, partition = 0): GroupPartition {
    return groupPartition(this.prefix, { topic: topicOf(topic).name, partition }, group);
  }

  state(process: Process, topic: PayloadClass, group: string): Promise<GroupState> {
    return process.streams.inspector.group(topicOf(topic), group);
  }

  deadLetters(process: Process, topic: PayloadClass, group: string): Promise<DeadLetterRecord[]> {
    return process.streams.inspector.deadLetters(topicOf(topic), group);
  }

  /** Resolves when the group has no message left. */
  drained(process: Process, topic: PayloadClass, group: string, timeoutMs = 40_000): Promise<unknown> {
    const idle = async (): Promise<boolean> => {
      const { lag, pending, retrying } = await this.state(process, topic, group);
      if (lag !== 0 || pending !== 0 || retrying !== 0) throw new Error(`lag ${lag}, pending ${pending}, retrying ${retrying}`);
      return true;
    };
    return waitFor(idle, { what: `${group} to have nothing left to do`, timeoutMs });
  }

  /** `[entry id, owner, idle ms, delivery count]` of the pending entries of the log. */
  async pending(topic: PayloadClass, group: string): Promise<[string, string, number, number][]> {
    return (await this.command('XPENDING', this.place(topic, group).keys.log, group, '-', '+', 1_000)) as [string, string, number, number][];
  }

  protected async startServers(): Promise<void> {
    this.server = await startTestRedis(this.options);
  }

  protected async stopServers(): Promise<void> {
    await this.server.stop();
  }

  #add(process: Process): Process {
    this.#processes.push(process);
    return process;
  }
}
