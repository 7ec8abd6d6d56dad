import type { Mode } from './mode.js';
import type { Verdict } from './simulation.js';

export type Failure = Pick<Verdict, 'seed' | 'broken' | 'hash'>;

export interface Report {
  readonly mode: Mode;
  readonly from: number;
  /** How many were run. */
  readonly seeds: number;
  readonly failures: readonly Failure[];
  readonly events: number;
  readonly virtualMs: number;
  readonly seconds: number;
  /** All threads count, those of the compiler and the garbage collector included. */
  readonly cpuSeconds: number;
  readonly lastHash: string;
}

/** Writes the report. @returns the exit code: 0 when all seeds keep all promises */
export function conclude({ json }: { readonly json: boolean }, report: Report): number {
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : summary(report));
  return report.failures.length === 0 ? 0 : 1;
}

export function failureText({ seed, broken }: Failure, mode: Mode): string {
  const reasons = broken.map((reason) => `  ${reason}\n`).join('');
  return `seed ${seed} fails:\n${reasons}  replay it: npm run simulate -- --mode ${mode} --seed ${seed}\n`;
}

function summary({ seeds, mode, failures, events, virtualMs, seconds, cpuSeconds, lastHash }: Report): string {
  const speed = `${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU, ${(seeds / cpuSeconds).toFixed(1)} seeds a second of it`;
  return `${seeds} seeds in ${mode} mode: ${failures.length} fail; ${events} events in ${Math.round(virtualMs / 1_000)} s of virtual time; ${speed}; last hash ${lastHash}\n`;
}
