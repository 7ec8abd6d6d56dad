import { cpus, loadavg, release, totalmem } from 'node:os';

/** The machine of the figures: those of different machines are not comparable. */
export interface Machine {
  readonly node: string;
  readonly cores: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly system: string;
  /** Processes that wanted a core in the last minute, when the run began and when it ended. */
  readonly load: readonly [number, number];
}

/** @param loadBefore the {@link load} when the run began */
export function machine(loadBefore: number): Machine {
  const cores = cpus();
  return {
    node: process.version,
    cores: cores.length,
    model: cores[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    load: [loadBefore, load()],
  };
}

export function load(): number {
  return Number(loadavg()[0]!.toFixed(2));
}
