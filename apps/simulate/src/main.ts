import { VirtualTime } from '@millrace/testing';
import { CommanderError } from 'commander';
import { parseSimulateOptions, type SimulateCommand } from './options.js';
import { runSeeds } from './run-seeds.js';
import { runInWorkers } from './workers.js';

const USAGE = 2;

const command = parse();
if (command) {
  // Errors are made all the time, and each would look up where it was made. Stored ones would make runs differ, too.
  Error.stackTraceLimit = 0;
  process.exitCode = await (command.workers > 1 ? runInWorkers(command) : runSeeds(VirtualTime.install(), command));
}

/** Null when --help was asked for or the options are wrong: the text was written then. */
function parse(): SimulateCommand | null {
  try {
    return parseSimulateOptions(process.argv.slice(2));
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    process.exitCode = thrown.exitCode === 0 ? 0 : USAGE;
    return null;
  }
}
