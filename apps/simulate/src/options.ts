import { Command, InvalidArgumentError, Option } from 'commander';
import type { Mode } from './mode.js';

export interface SimulateCommand {
  /** The first seed. */
  readonly from: number;
  readonly seeds: number;
  readonly mode: Mode;
  /** Whether the trace of the one seed is shown. */
  readonly isReplay: boolean;
  readonly json: boolean;
  /** Whether it ends with the first seed that fails. */
  readonly untilFailure: boolean;
  /** Whether each seed is run only once. */
  readonly isOnce: boolean;
  /** Processes that run seeds at once. */
  readonly workers: number;
}

const MOST_WORKERS = 64;

const HELP = `
Each seed decides processes, messages, faults and the order of everything, and is run twice unless --once says otherwise: both must do the same.

Exit codes: 0 all seeds keep all promises, 1 one does not, 2 wrong options.
`;

interface Given {
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
  readonly mode: Mode;
  readonly json?: boolean;
  readonly untilFailure?: boolean;
  readonly once?: boolean;
  readonly workers: number;
}

/** @throws CommanderError; its reason was written */
export function parseSimulateOptions(args: readonly string[]): SimulateCommand {
  const program = new Command('simulate').addHelpText('after', HELP)
    .description('Runs the engine in virtual time, over a Redis in memory, with faults');
  for (const option of simulateOptions()) program.addOption(option);
  program.exitOverride();
  program.parse(args, { from: 'user' });
  const { seed, seeds, from, mode, json = false, untilFailure = false, once = false, workers } = program.opts<Given>();
  const isReplay = seed !== undefined;
  const range = isReplay ? { from: seed, seeds: 1, workers: 1 } : { from, seeds, workers };
  return { ...range, mode, isReplay, json, untilFailure, isOnce: once };
}

function simulateOptions(): Option[] {
  return [
    new Option('--seeds <n>', 'how many').argParser(whole).default(1_000),
    new Option('--from <n>', 'the first seed').argParser(whole).default(1),
    new Option('--seed <n>', 'this seed alone, with its trace').argParser(whole),
    new Option('--mode <mode>', 'how the group hands messages out').choices(['shared', 'ordered']).default('shared'),
    new Option('--until-failure', 'end with the first seed that fails'),
    new Option('--once', 'run each seed only once'),
    new Option('--workers <n>', 'processes that run seeds at once').argParser(several).default(1),
    new Option('--json', 'write one JSON document to stdout'),
  ];
}

function several(text: string): number {
  const number = whole(text);
  if (number < 1 || number > MOST_WORKERS) throw new InvalidArgumentError(`It must be between 1 and ${MOST_WORKERS}.`);
  return number;
}

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0 || number >= 2 ** 32) throw new InvalidArgumentError('It must be a whole number.');
  return number;
}
