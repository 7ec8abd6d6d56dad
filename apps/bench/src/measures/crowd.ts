import { setTimeout as pause } from 'node:timers/promises';
import type { MillraceSettings, Spec } from '../contenders/contender.js';
import { SETTLE_MS } from '../match/sides.js';
import { cpuTimeUs } from '../servers/cpu-clock.js';
import { SideProcess } from '../sides/side-process.js';
import type { Stage } from '../stage.js';

/** The servers that a crowd works on. */
export interface CrowdServers {
  readonly url: string;
  readonly pids: readonly number[];
}

export interface CrowdSettings extends MillraceSettings {
  /** As many producers, and as many consumers. */
  readonly members: number;
}

/** One run; CPU is microseconds a message. */
export interface CrowdRun {
  /** Messages a second, from the first publish to the last handler. */
  readonly perSecond: number;
  /** All producers and consumers together. */
  readonly clients: number;
  /** Each server. */
  readonly servers: readonly number[];
}

const BYTES = 200;
const LOOK_EVERY_MS = 10;
const LOOKS_MS = 60_000;

/** Several producers, and several members of one group, each a process. */
export class Crowd {
  readonly #servers: CrowdServers;
  readonly #producers: readonly SideProcess[];
  readonly #consumers: readonly SideProcess[];

  private constructor(servers: CrowdServers, producers: readonly SideProcess[], consumers: readonly SideProcess[]) {
    this.#servers = servers;
    this.#producers = producers;
    this.#consumers = consumers;
  }

  static async open(servers: CrowdServers, { members, ...millrace }: CrowdSettings, stage: Stage): Promise<Crowd> {
    const spec: Spec = { name: 'millrace', kind: 'millrace', bytes: BYTES, millrace };
    const opened: SideProcess[] = [];
    try {
      // Consumers start first: they make the topic.
      for (const role of ['consumer', 'producer'] as const) {
        for (let member = 0; member < members; member += 1) {
          opened.push(await SideProcess.open(spec, { role, url: servers.url, signal: stage.signal }));
        }
      }
      return new Crowd(servers, opened.slice(members), opened.slice(0, members));
    } catch (error) {
      await Promise.all(opened.map((side) => side.kill()));
      throw error;
    }
  }

  /** @param count messages of each producer */
  async saturate(count: number): Promise<CrowdRun> {
    const all = count * this.#producers.length;
    await Promise.all(this.#consumers.map((consumer) => consumer.arm(all)));
    const before = await this.#cpu();
    const publishing = Promise.all(this.#producers.map((producer) => producer.saturate(count)));
    const [spans, lastAt] = await Promise.all([publishing, this.#handled(all)]);
    await pause(SETTLE_MS);
    const after = await this.#cpu();
    const spent = after.map((us, index) => (us - before[index]!) / all);
    const clients = this.#producers.length + this.#consumers.length;
    return {
      perSecond: (all / (lastAt - Math.min(...spans.map(({ from }) => from)))) * 1e6,
      clients: sum(spent.slice(0, clients)),
      servers: spent.slice(clients),
    };
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#producers, ...this.#consumers].map((side) => side.close()));
  }

  /** @returns when the last of them came */
  async #handled(count: number): Promise<number> {
    const until = performance.now() + LOOKS_MS;
    for (;;) {
      const seen = await Promise.all(this.#consumers.map((consumer) => consumer.handled()));
      const handled = sum(seen.map((each) => each.count));
      if (handled >= count) return Math.max(...seen.map(({ lastAt }) => lastAt));
      if (performance.now() > until) throw new Error(`${handled} of ${count} messages were handled in ${LOOKS_MS / 1_000} s`);
      await pause(LOOK_EVERY_MS);
    }
  }

  #cpu(): Promise<number[]> {
    const sides = [...this.#producers, ...this.#consumers].map((side) => side.cpuTimeUs());
    return Promise.all([...sides, ...this.#servers.pids.map(cpuTimeUs)]);
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
