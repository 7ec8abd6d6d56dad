import type { VirtualTime } from '@millrace/testing';
import type { SimulateCommand } from './options.js';
import { conclude, type Failure, failureText } from './report.js';
import { simulate, type Verdict } from './simulation.js';

/** @returns the exit code: 0 when all seeds keep all promises */
export async function runSeeds(time: VirtualTime, command: SimulateCommand): Promise<number> {
  const { from, seeds, mode, isReplay, json, untilFailure } = command;
  const startedAt = process.hrtime.bigint();
  const usedBefore = process.cpuUsage();
  const failures: Failure[] = [];
  const totals = { events: 0, virtualMs: 0 };
  let [hash, ran] = ['', 0];
  for (let seed = from; seed < from + seeds; seed += 1) {
    const verdict = await runTwice(time, seed, command);
    hash = verdict.hash;
    ran += 1;
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
  return conclude(command, { mode, from, seeds: ran, failures, ...totals, seconds, cpuSeconds, lastHash: hash });
}

/** A run whose repetition does something else keeps no promise: nobody could replay it. */
async function runTwice(time: VirtualTime, seed: number, { mode, isReplay, isOnce }: SimulateCommand): Promise<Verdict> {
  const first = await simulate(time, seed, { mode, keepsTrace: isReplay });
  if (isOnce) return first;
  const second = await simulate(time, seed, { mode });
  if (first.hash === second.hash) return first;
  return { ...first, broken: [...first.broken, `not the same twice: ${first.hash} with ${first.events} events, then ${second.hash} with ${second.events}`] };
}
