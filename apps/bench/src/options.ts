import { Command, InvalidArgumentError, Option } from 'commander';
import { type Baseline, readBaseline } from './report/baseline.js';

export interface BenchOptions {
  /** Parts of names of contenders and measurements; empty for all. */
  readonly only: readonly string[];
  readonly rounds: number;
  /** Messages a round. */
  readonly size: number;
  /** Messages of backlog and of waiting retries. */
  readonly growth: number;
  /** The whole run ends within so many. */
  readonly minutes: number;
  /** The figures of an earlier run. */
  readonly baseline?: Baseline;
  readonly json: boolean;
}

const HELP = `
Each contender has a server, a producer and a consumer of its own; all take their turn in each round. Ratios are medians of
the ratios within rounds. CPU is that of the operating system for each process, divided by the messages.

Exit codes: 0 all was measured and every target holds, 1 a target does not hold, or something failed, 2 wrong options.
`;

/** @throws CommanderError; its reason was written */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const program = new Command('bench').description('Millrace beside its peers, and as it grows').addHelpText('after', HELP);
  for (const option of benchOptions()) program.addOption(option);
  program.exitOverride();
  program.parse(args, { from: 'user' });
  const { only = [], json = false, ...options } = program.opts<Partial<BenchOptions> & Omit<BenchOptions, 'only' | 'json'>>();
  return { ...options, only, json };
}

function benchOptions(): Option[] {
  return [
    new Option('--only <names>', 'only contenders and measurements whose name holds one of these, separated by commas').argParser(names),
    new Option('--rounds <n>', 'rounds that count').argParser(whole(1, 100)).default(5),
    new Option('--size <n>', 'messages a round').argParser(whole(100, 10_000_000)).default(60_000),
    new Option('--growth <n>', 'messages of backlog and of waiting retries').argParser(whole(1_000, 10_000_000)).default(200_000),
    new Option('--minutes <n>', 'the run ends within so many; the report says which parts were left out').argParser(whole(1, 600)).default(20),
    new Option('--baseline <file>', 'show the change against what --json wrote to this file').argParser(baseline),
    new Option('--json', 'write one JSON document to stdout and the tables to stderr'),
  ];
}

function names(text: string): string[] {
  return text.split(',').map((name) => name.trim()).filter(Boolean);
}

function baseline(path: string): Baseline {
  try {
    return readBaseline(path);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function whole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}
