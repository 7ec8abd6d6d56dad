import { CommanderError } from 'commander';
import { type DemoOptions, parseDemoOptions } from './demo/options.js';
import { OwnStream } from './demo/own-stream.js';
import { Stopped } from './demo/stopped.js';

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
const UNREAD = 1;

const options = parse();
if (options) process.exit(await demo(options, stopSignal()));

/** Null when --help was asked for or the options are wrong: the text was written then. */
function parse(): DemoOptions | null {
  try {
    return parseDemoOptions(process.argv.slice(2));
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    process.exitCode = thrown.exitCode;
    return null;
  }
}

/** Loaded when the options are right, because the modules of the demo take a moment to load. */
async function demo(asked: DemoOptions, signal: AbortSignal): Promise<number> {
  process.stderr.write('loading the demo\n');
  const { runDemo } = await import('./demo/run-demo.js');
  return runDemo(asked, { out: process.stdout, err: new OwnStream(process.stderr) }, signal);
}

/**
 * Aborts at the first SIGINT or SIGTERM, for an orderly end; at the second one the process ends at once. Aborts as well when
 * nobody reads the output any more, as behind `| head`: without a listener that would end the process with nothing removed.
 */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => controller.abort(new Stopped(UNREAD)));
  for (const [name, code] of Object.entries(EXIT_CODES)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(code);
      controller.abort(new Stopped(code));
    });
  }
  return controller.signal;
}
