import { CommanderError } from 'commander';
import { type BenchOptions, parseBenchOptions } from './options.js';

const USAGE = 2;

const options = parse();
if (options) process.exit(await bench(options));

/** Null when --help was asked for or the options are wrong: the text was written then. */
function parse(): BenchOptions | null {
  try {
    return parseBenchOptions(process.argv.slice(2));
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    process.exitCode = thrown.exitCode === 0 ? 0 : USAGE;
    return null;
  }
}

/** @returns the exit code: 0 when all was measured and every target holds */
async function bench(asked: BenchOptions): Promise<number> {
  const { namesInstead, runBench } = await import('./run-bench.js');
  const { tables } = await import('./report/table.js');
  const instead = namesInstead(asked);
  if (instead) {
    process.stderr.write(`error: nothing is called ${asked.only.join(' or ')}; there are: ${instead.join(', ')}\n`);
    return USAGE;
  }
  const outcome = await runBench(asked);
  // With --json, stdout holds one document and nothing else.
  (asked.json ? process.stderr : process.stdout).write(tables(outcome, asked.baseline));
  if (asked.json) process.stdout.write(`${JSON.stringify(outcome.report, null, 2)}\n`);
  return outcome.missing.length === 0 && outcome.report.rows.every(({ holds }) => holds !== false) ? 0 : 1;
}
