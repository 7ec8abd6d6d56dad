import { Command, InvalidArgumentError, Option } from 'commander';
import type { ChaosOptions } from './chaos.js';
import { MODES } from './plan.js';

export interface CommandOptions extends ChaosOptions {
  readonly json: boolean;
  /** The file that gets the history of the run. */
  readonly keep?: string;
  /** The file with a history that is judged instead of a run. */
  readonly judge?: string;
}

const HELP = `
Processes publish and handle messages on a Redis of their own while faults occur: processes and Redis are killed and frozen,
connections are reset, replies are lost, clocks are stepped. The figures of the verdict must be 0:

  lost              confirmed to the publisher, and neither handled nor dead-lettered
  phantom           handled, stored or dead-lettered, and never published
  dup_entries       stored more than once under one idempotency key
  dup_effects       handler runs that began after it was known to a worker that the message was settled
  order             messages that broke the order of their key; "-" in shared mode, which promises none
  two_owners        settled runs of a process that did not own the partition; "-" in shared mode, where nobody does
  stuck             messages that the group never got done with
  bad_dead_letters  dead letters that should not exist, exist twice, or lack a part of their history

The seed decides which faults occur, in which order, and whether entries are packed; moments differ from run to run.
Exit codes: 0 every figure is 0, 1 one is not, or the run failed, 2 wrong options.
`;

/** @throws CommanderError; its reason was written */
export function parseChaosOptions(args: readonly string[]): CommandOptions {
  const program = new Command('chaos').description('Checks the promises of Millrace while faults occur').addHelpText('after', HELP);
  for (const option of chaosOptions()) program.addOption(option);
  program.exitOverride();
  program.parse(args, { from: 'user' });
  const { json = false, ...options } = program.opts<Omit<CommandOptions, 'json'> & { json?: boolean }>();
  return { ...options, json };
}

function chaosOptions(): Option[] {
  return [
    new Option('--mode <mode>', 'how the workers share the partitions').choices(MODES).default('shared'),
    new Option('--messages <n>', 'messages to publish').argParser(whole(100, 10_000_000)).default(30_000),
    new Option('--faults <n>', 'faults, spread evenly over the messages').argParser(whole(0, 10_000)).default(35),
    new Option('--workers <n>', 'worker processes').argParser(whole(1, 16)).default(4),
    new Option('--seed <n>', 'repeats the faults of another run')
      .argParser(whole(0, 2 ** 31 - 1))
      .default(Math.floor(Math.random() * 2 ** 31), 'random'),
    new Option('--keep <file>', 'write the history of the run to this file'),
    new Option('--judge <file>', 'judge a history that --keep wrote, and run nothing'),
    new Option('--json', 'write one JSON document to stdout'),
  ];
}

function whole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}
