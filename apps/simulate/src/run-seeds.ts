import type { VirtualTime } from '@millrace/testing';
import type { SimulateCommand } from './options.js';
import { simulate, type Verdict } from './simulation.js';

/** @returns the exit code: 0 when all seeds keep all promises */
export async function runSeeds(time: VirtualTime, command: SimulateCommand): Promise<number> {
  const { from, seeds, mode, isReplay, json, untilFailure } = command;
  const startedAt = process.hrtime.bigint();
  const usedBefore = process.cpuUsage();
  const failures: Pick<Verdict, 'seed' | 'broken' | 'hash'>[] = [];
  const totals = { events: 0, virtualMs: 0 };
  let hash = '';
  for (let seed = from; seed < from + seeds; seed += 1) {
    const verdict = await runTwice(time, seed, command);
    hash = verdict.hash;
    totals.events += verdict.events;
    totals.virtualMs += verdict.virtualMs;
    if (isReplay && !json) process.stdout.write(`${verdict.lines.join('\n')}\n`);
    if (verdict.broken.length === 0) continue;
    failures.push({ seed, broken: verdict.broken, hash: verdict.hash });
    if (!json) process.stdout.write(failureText(verdict, mode));
    if (untilFailure) break;
  }
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  const used = process.cpuUsage(usedBefore);
  const cpuSeconds = (used.user + used.system) / 1e6;
  const report = { mode, from, seeds, failures, ...totals, seconds, cpuSeconds, lastHash: hash };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : summary(report));
  return failures.length === 0 ? 0 : 1;
}

/** A run whose repetition does something else keeps no promise: nobody could replay it. */
async function runTwice(time: VirtualTime, seed: number, { mode, isReplay, isOnce }: SimulateCommand): Promise<Verdict> {
  const first = await simulate(time, seed, { mode, keepsTrace: isReplay });
  if (isOnce) return first;
  const second = await simulate(time, seed, { mode });
  if (first.hash === second.hash) return first;
  return { ...first, broken: [...first.broken, `not the same twice: ${first.hash} with ${first.events} events, then ${second.hash} with ${second.events}`] };
}

function failureText({ seed, broken }: Verdict, mode: string): string {
  const reasons = broken.map((reason) => `  ${reason}\n`).join('');
  return `seed ${seed} fails:\n${reasons}  replay it: npm run simulate -- --mode ${mode} --seed ${seed}\n`;
}

interface Report {
  readonly seeds: number;
  readonly mode: string;
  readonly failures: readonly unknown[];
  readonly events: number;
  readonly virtualMs: number;
  readonly seconds: number;
  /** All threads count, those of the compiler and the garbage collector included. */
  readonly cpuSeconds: number;
  readonly lastHash: string;
}

function summary({ seeds, mode, failures, events, virtualMs, seconds, cpuSeconds, lastHash }: Report): string {
  const speed = `${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU, ${(seeds / cpuSeconds).toFixed(1)} seeds a second of it`;
  return `${seeds} seeds in ${mode} mode: ${failures.length} fail; ${events} events in ${Math.round(virtualMs / 1_000)} s of virtual time; ${speed}; last hash ${lastHash}\n`;
}
