import { type PayloadClass, topicOf } from '@millrace/core';
import type { RedisTarget, Topology } from '@millrace/redis';
import type { DeadLetterRecord, GroupState, StreamsOptions } from '@millrace/streams';
import { type Network, waitFor } from '@millrace/testing';
import { type GroupPartition, groupPartition } from '../src/consume/group-partition.js';
import { type Process, startProcessAt } from './fixture.js';

export type StartOptions = Partial<Omit<StreamsOptions, 'redis' | 'prefix'>>;

/** Processes that speak to one Redis under one prefix, whichever way it is set up. It needs no runner of tests. */
export abstract class SiteGround {
  prefix!: string;
  #processes: Pick<Process<Topology>, 'stop'>[] = [];

  /** A network of its own to Redis, for one process: the caller stops it. */
  abstract network(): Promise<Network>;

  /** One command that reads a key, past the tested code. */
  abstract read(command: string, key: string, ...args: (string | number)[]): Promise<unknown>;

  place(topic: PayloadClass, group: string, partition = 0): GroupPartition {
    return groupPartition(this.prefix, { topic: topicOf(topic).name, partition }, group);
  }

  state({ streams }: Pick<Process, 'streams'>, topic: PayloadClass, group: string): Promise<GroupState> {
    return streams.inspector.group(topicOf(topic), group);
  }

  deadLetters({ streams }: Pick<Process, 'streams'>, topic: PayloadClass, group: string): Promise<DeadLetterRecord[]> {
    return streams.inspector.deadLetters(topicOf(topic), group);
  }

  /** Resolves when the group has no message left. */
  drained(process: Pick<Process, 'streams'>, topic: PayloadClass, group: string, timeoutMs = 40_000): Promise<unknown> {
    const idle = async (): Promise<boolean> => {
      const { lag, pending, retrying } = await this.state(process, topic, group);
      if (lag !== 0 || pending !== 0 || retrying !== 0) throw new Error(`lag ${lag}, pending ${pending}, retrying ${retrying}`);
      return true;
    };
    return waitFor(idle, { what: `${group} to have nothing left to do`, timeoutMs });
  }

  /** Stops the processes, and leaves the servers. */
  async clear(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((process) => process.stop()));
  }

  protected async startAt(target: RedisTarget, options: StartOptions): Promise<Process<Topology>> {
    return this.add(await startProcessAt(target, { prefix: this.prefix, leaseMs: 300, ...options }));
  }

  /** {@link clear} stops it. */
  protected add<Started extends Pick<Process<Topology>, 'stop'>>(process: Started): Started {
    this.#processes.push(process);
    return process;
  }
}
