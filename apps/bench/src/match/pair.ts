import { setTimeout as pause } from 'node:timers/promises';
import type { Spec } from '../contenders/contender.js';
import { cpuTimeUs } from '../servers/cpu-clock.js';
import type { BenchServer } from '../servers/server.js';
import type { Arrival } from '../sides/messages.js';
import { SideProcess } from '../sides/side-process.js';
import { type Run, SETTLE_MS, type Sides } from './sides.js';

/** A producer and a consumer of one contender, and the server between them: three processes. */
export class Pair implements Sides {
  readonly spec: Spec;
  readonly server: BenchServer;
  readonly producer: SideProcess;
  readonly consumer: SideProcess;

  private constructor(spec: Spec, server: BenchServer, sides: readonly [SideProcess, SideProcess]) {
    this.spec = spec;
    this.server = server;
    [this.producer, this.consumer] = sides;
  }

  /** The consumer starts first, because it makes the topic or queue of the producer. The server stays the caller's. */
  static async open(spec: Spec, server: BenchServer, signal: AbortSignal): Promise<Pair> {
    const options = { url: server.url, signal };
    const consumer = await SideProcess.open(spec, { ...options, role: 'consumer' });
    try {
      return new Pair(spec, server, [await SideProcess.open(spec, { ...options, role: 'producer' }), consumer]);
    } catch (error) {
      await consumer.kill();
      throw error;
    }
  }

  /** @param deliveries how often each message is handled. Default once */
  async saturate(count: number, deliveries = 1): Promise<Run> {
    await this.consumer.arm(count * deliveries);
    const before = await this.#cpu();
    const [{ from }, { at }] = await Promise.all([this.producer.saturate(count), this.consumer.arrived()]);
    await pause(SETTLE_MS);
    const after = await this.#cpu();
    const [producer = 0, consumer = 0, server = 0] = after.map((us, index) => (us - before[index]!) / count);
    return { perSecond: (count / (at - from)) * 1e6, cpu: { producer, consumer, server, total: producer + consumer + server } };
  }

  async pace(rate: number, count: number): Promise<Arrival> {
    await this.consumer.arm(count);
    const [, arrival] = await Promise.all([this.producer.pace(count, rate), this.consumer.arrived()]);
    return arrival;
  }

  async close(): Promise<void> {
    await Promise.all([this.producer.close(), this.consumer.close()]);
  }

  #cpu(): Promise<number[]> {
    return Promise.all([this.producer.cpuTimeUs(), this.consumer.cpuTimeUs(), cpuTimeUs(this.server.pid)]);
  }
}
