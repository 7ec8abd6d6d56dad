import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Encoding, ENCODINGS } from '../orders/encoding.js';
import { TOPOLOGIES, type TopologyName } from './topology.js';
import { wrap } from './wrap.js';

/** The options of the demo. */
export interface DemoOptions {
  /** File or folder of orders; undefined when they are generated. */
  readonly orders?: string;
  /** The encoding of the files. */
  readonly encoding: Encoding;
  readonly generate: number;
  readonly topology: TopologyName;
  readonly once: boolean;
  readonly json: boolean;
  /** Whether the orders of each customer are handled one after the other. */
  readonly ordered: boolean;
  /** Worker processes; undefined when this process runs the handlers. */
  readonly workers?: number;
  readonly kill: number;
  /** Percent, 0 to 100. */
  readonly duplicates: number;
  readonly poison: number;
  readonly seed: number;
}

/** Exit code of a command line that cannot be followed. */
export const USAGE = 2;

const MAX_SEED = 2 ** 32 - 1;
/** Characters that a description may be wrapped to; commander does not wrap below 40 unless it is told to. */
const NARROWEST = 20;

const HELP = `
Replays orders through calls, topics and queues: each is placed by a call of the service checkout. That has it charged by a call of
the service payments, and stores its row and its message in one SQL transaction; a relay publishes the message, and two groups
handle it. A cancellation is not charged.
The group inventory moves stock and revenue in SQL; the group notifications has a mail sent through the queue emails. A mail is sent
again only after a process that was killed between sending it and recording that: no database can take a mail back.
At the end the totals of the payments and the handlers stand beside those of the files.

Without --once the demo goes on when the orders are handled: it places generated ones, two a second, until Ctrl-C.
Redis is the one at REDIS_URL, else one that the demo starts; the database the one at DATABASE_URL, else one inside the demo.
The demo removes everything that it writes there. A Cluster has three primaries with a replica each; three Sentinels watch a
primary with a replica.

Exit codes: 0 everything came out right, 1 it did not, or something that is needed is missing, 2 wrong options,
130 and 143 stopped by a signal before the orders were handled.
`;

/**
 * @param args the command line without node and script
 * @throws CommanderError with exit code 0 after --help, else {@link USAGE}; the reason was written already
 */
export function parseDemoOptions(args: readonly string[], output: DemoOutput = { out: toStdout, err: toStderr }): DemoOptions {
  const program = command(output);
  program.parse(args, { from: 'user' });
  const options = program.opts<Omit<DemoOptions, 'once' | 'json' | 'ordered'> & { once?: true; json?: true; ordered?: true }>();
  if (options.kill > 0 && options.workers === undefined) {
    program.error("error: option '--kill <n>' needs '--workers <n>': there is no worker process to kill", { exitCode: USAGE });
  }
  const { once = false, json = false, ordered = false } = options;
  return { ...options, once: once || json, json, ordered };
}

/** Where help and errors about options go. */
export interface DemoOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

function command({ out, err }: DemoOutput): Command {
  const program = new Command('shop').description('The shop of Millrace, on real or generated orders').helpOption('-h, --help');
  program.configureHelp({ minWidthToWrap: NARROWEST });
  program.addHelpText('after', HELP).showHelpAfterError('(--help lists the options)').configureOutput({ writeOut: out, writeErr: err });
  program.exitOverride((error) => {
    throw Object.assign(error, { exitCode: error.exitCode === 0 ? 0 : USAGE });
  });
  for (const option of demoOptions()) program.addOption(option);
  return program;
}

function demoOptions(): Option[] {
  return [
    new Option('--orders <path>', 'CSV file, or folder of .csv files, with orders (default: generated ones)')
      .argParser(path)
      .conflicts('generate'),
    new Option('--encoding <name>', 'of the files: utf-8, or latin1 (ISO-8859-1)').choices(ENCODINGS).default('utf-8').conflicts('generate'),
    new Option('--generate <n>', 'make n orders up; cancellations come on top').argParser(whole(1, 100_000)).default(500),
    new Option('--topology <name>', 'how Redis is set up; a Cluster, and Sentinels with their servers, are started by the demo')
      .choices(TOPOLOGIES)
      .default('standalone'),
    new Option('--once', 'end when all is handled'),
    new Option('--json', 'write one JSON document to stdout and nothing else; implies --once'),
    new Option('--ordered', 'handle the orders of each customer one after the other, and check that'),
    new Option('--workers <n>', 'run the handlers in n worker processes, the checkout and payments in one more each (default: all in this one)').argParser(whole(1, 16)),
    new Option('--kill <n>', 'kill -9 that many processes, of each kind, at random moments and start them again').argParser(whole(0, 1_000)).default(0),
    new Option('--duplicates <percent>', 'place that share again, by another request').argParser(percent).default(0),
    new Option('--poison <n>', 'orders whose handlers always fail, so that they end in the dead letters').argParser(whole(0, 100_000)).default(0),
    new Option('--seed <n>', 'makes everything random come out the same')
      .argParser(whole(0, MAX_SEED))
      .default(randomInt(MAX_SEED), 'drawn, and shown'),
  ];
}

function path(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must name a file or a folder.');
  return text;
}

function whole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}

function percent(text: string): number {
  const value = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 100) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 100.');
}

function toStdout(text: string): void {
  process.stdout.write(fitted(text, process.stdout));
}

function toStderr(text: string): void {
  process.stderr.write(fitted(text, process.stderr));
}

function fitted(text: string, { isTTY, columns }: NodeJS.WriteStream): string {
  return isTTY ? wrap(text, columns) : text;
}
