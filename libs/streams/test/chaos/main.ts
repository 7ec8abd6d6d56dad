import { CommanderError } from 'commander';
import { type CommandOptions, parseChaosOptions } from './options.js';
import { documentOf, figuresOf, lineOfFigures, tableOf } from './report.js';
import { readHistory, writeHistory } from './stored-history.js';
import { isClean, verdictOn } from './verdict.js';

const USAGE = 2;

process.exit(await main());

async function main(): Promise<number> {
  const options = parse();
  if (typeof options === 'number') return options;
  return options.judge === undefined ? run(options) : judge(options.judge, options);
}

/** @returns the exit code when --help was asked for or the options are wrong: the text was written then */
function parse(): CommandOptions | number {
  try {
    return parseChaosOptions(process.argv.slice(2));
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    return thrown.exitCode === 0 ? 0 : USAGE;
  }
}

/** @returns the exit code */
async function run({ json, keep, ...options }: CommandOptions): Promise<number> {
  const { mode, messages, faults, workers, seed } = options;
  process.stderr.write(`chaos --mode ${mode} --messages ${messages} --faults ${faults} --workers ${workers} --seed ${seed}\n`);
  const { chaos } = await import('./chaos.js');
  const report = await chaos(options);
  if (keep !== undefined) writeHistory(keep, report.history);
  const document = documentOf(options, report);
  write(json, document, tableOf(document));
  return document.holds ? 0 : 1;
}

/** @returns the exit code */
function judge(file: string, { json }: CommandOptions): number {
  const verdict = verdictOn(readHistory(file));
  const [holds, figures] = [isClean(verdict), figuresOf(verdict)];
  write(json, { holds, verdict: figures }, `${lineOfFigures(figures)}\n`);
  return holds ? 0 : 1;
}

function write(json: boolean, document: object, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : text);
}
