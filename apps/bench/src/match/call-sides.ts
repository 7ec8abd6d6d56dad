import { setTimeout as pause } from 'node:timers/promises';
import type { Spec } from '../contenders/contender.js';
import { cpuTimeUs } from '../servers/cpu-clock.js';
import type { BenchServer } from '../servers/server.js';
import type { Arrival } from '../sides/messages.js';
import { SideProcess, type SideOptions } from '../sides/side-process.js';
import { type Run, SETTLE_MS, type Sides } from './sides.js';

/** One process that answers calls, one or more that make them, and the server between them. */
export class CallSides implements Sides {
  readonly server: BenchServer;
  readonly #answering: SideProcess;
  readonly #calling: readonly SideProcess[];

  private constructor(server: BenchServer, answering: SideProcess, calling: readonly SideProcess[]) {
    this.server = server;
    this.#answering = answering;
    this.#calling = calling;
  }

  static async open(spec: Spec, server: BenchServer, signal: AbortSignal): Promise<CallSides> {
    const options = { url: server.url, signal };
    const opened: SideProcess[] = [];
    const open = async (role: SideOptions['role']): Promise<SideProcess> => {
      const side = await SideProcess.open(spec, { ...options, role });
      opened.push(side);
      return side;
    };
    try {
      const answering = await open('consumer');
      for (let caller = 0; caller < (spec.callers ?? 1); caller += 1) await open('producer');
      return new CallSides(server, answering, opened.slice(1));
    } catch (error) {
      await Promise.all(opened.map((side) => side.kill()));
      throw error;
    }
  }

  async saturate(count: number): Promise<Run> {
    const each = Math.ceil(count / this.#calling.length);
    await this.#arm(each);
    const before = await this.#cpu();
    const [spans, arrivals] = await Promise.all([Promise.all(this.#calling.map((side) => side.saturate(each))), this.#arrived()]);
    await pause(SETTLE_MS);
    const after = await this.#cpu();
    const made = each * this.#calling.length;
    const tookUs = Math.max(...arrivals.map(({ at }) => at)) - Math.min(...spans.map(({ from }) => from));
    const [server = 0, consumer = 0, ...calling] = after.map((us, index) => (us - before[index]!) / made);
    const producer = calling.reduce((sum, us) => sum + us, 0);
    return { perSecond: (made / tookUs) * 1e6, cpu: { producer, consumer, server, total: producer + consumer + server } };
  }

  /** The rate is that of all callers together; the slowest caller is told. */
  async pace(rate: number, count: number): Promise<Arrival> {
    const callers = this.#calling.length;
    const each = Math.ceil(count / callers);
    await this.#arm(each);
    const calling = Promise.all(this.#calling.map((side) => side.pace(each, rate / callers)));
    const [arrivals] = await Promise.all([this.#arrived(), calling]);
    return arrivals.reduce((slowest, arrival) => (arrival.p50 > slowest.p50 ? arrival : slowest));
  }

  async close(): Promise<void> {
    await Promise.all(this.#calling.map((side) => side.close()));
    await this.#answering.close();
  }

  #arm(each: number): Promise<unknown> {
    return Promise.all(this.#calling.map((side) => side.arm(each)));
  }

  #arrived(): Promise<Arrival[]> {
    return Promise.all(this.#calling.map((side) => side.arrived()));
  }

  #cpu(): Promise<number[]> {
    const sides = [this.#answering, ...this.#calling].map((side) => side.cpuTimeUs());
    return Promise.all([cpuTimeUs(this.server.pid), ...sides]);
  }
}
