import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { SimulateCommand } from './options.js';
import { conclude, failureText, type Report } from './report.js';

/** Long enough for a process to pay, short enough for failures to be seen, and for all workers to end together. */
const SEEDS_A_PROCESS = 200;

/** Runs seeds in processes of their own, so many at once. A seed does the same wherever it runs. @returns the exit code */
export async function runInWorkers(command: SimulateCommand): Promise<number> {
  const startedAt = performance.now();
  const reports: Report[] = [];
  const left = rangesOf(command);
  const isOver = (): boolean => command.untilFailure && reports.some(({ failures }) => failures.length > 0);
  const work = async (): Promise<void> => {
    for (let range = left.shift(); range && !isOver(); range = left.shift()) {
      const report = await runRange(command, range);
      reports.push(report);
      if (!command.json) for (const failure of report.failures) process.stdout.write(failureText(failure, command.mode));
    }
  };
  await Promise.all(Array.from({ length: command.workers }, work));
  return conclude(command, together(command, reports, (performance.now() - startedAt) / 1_000));
}

interface SeedRange {
  readonly from: number;
  readonly seeds: number;
}

function rangesOf({ from, seeds, workers }: SimulateCommand): SeedRange[] {
  const size = Math.min(SEEDS_A_PROCESS, Math.ceil(seeds / workers));
  return Array.from({ length: Math.ceil(seeds / size) }, (_, index) => {
    return { from: from + index * size, seeds: Math.min(size, seeds - index * size) };
  });
}

/** @throws Error the process broke off */
async function runRange({ mode, untilFailure, isOnce }: SimulateCommand, { from, seeds }: SeedRange): Promise<Report> {
  const flags = [...(untilFailure ? ['--until-failure'] : []), ...(isOnce ? ['--once'] : [])];
  const args = [...process.execArgv, process.argv[1]!, '--mode', mode, '--from', String(from), '--seeds', String(seeds), '--json', ...flags];
  // So it ends with this process, however that ends.
  const env = { ...process.env, MILLRACE_TEST_CHILD: '1' };
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(child, 'close');
  if (text === '') throw new Error(`The process with the seeds from ${from} on broke off.`);
  return JSON.parse(text) as Report;
}

function together({ mode, from }: SimulateCommand, reports: readonly Report[], seconds: number): Report {
  const sorted = reports.toSorted((one, other) => one.from - other.from);
  const sum = (of: (report: Report) => number): number => sorted.reduce((total, report) => total + of(report), 0);
  return {
    mode, from, seeds: sum(({ seeds }) => seeds), failures: sorted.flatMap(({ failures }) => failures),
    events: sum(({ events }) => events), virtualMs: sum(({ virtualMs }) => virtualMs),
    seconds, cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds), lastHash: sorted.at(-1)?.lastHash ?? '',
  };
}
