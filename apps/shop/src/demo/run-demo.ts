import { asError, isMillraceError } from '@millrace/core';
import { Cleanup } from './cleanup.js';
import { Demo } from './demo.js';
import { type DemoOptions, USAGE } from './options.js';
import { Stopped } from './stopped.js';
import { Terminal, type TextSink } from './terminal.js';

export interface DemoStreams {
  /** For the result. */
  readonly out: TextSink;
  /** For everything else. */
  readonly err: TextSink;
}

const FAILED = 1;

/**
 * Runs the demo and removes everything that it made.
 *
 * @param signal ends it early, with a {@link Stopped} as the reason; after the replay, that is how it ends
 * @returns the exit code: 0 only when everything came out right
 */
export async function runDemo(options: DemoOptions, streams: DemoStreams, signal: AbortSignal): Promise<number> {
  const terminal = new Terminal(streams.err);
  const crashed = (): void => terminal.endProgress();
  // Node itself writes the error that ends the process, behind the bar.
  process.once('uncaughtExceptionMonitor', crashed);
  const cleanup = new Cleanup((what, error) => terminal.say(`could not ${what}: ${error.message}`));
  try {
    const ok = await new Demo({ options, terminal, cleanup, out: streams.out }).run(signal);
    return ok ? 0 : FAILED;
  } catch (thrown) {
    return exitCodeOf(thrown, terminal, signal);
  } finally {
    terminal.say('stopping what was started, and removing what was written');
    await cleanup.run();
    terminal.endProgress();
    process.off('uncaughtExceptionMonitor', crashed);
  }
}

function exitCodeOf(thrown: unknown, terminal: Terminal, signal: AbortSignal): number {
  terminal.endProgress();
  const reason: unknown = signal.reason;
  if (reason instanceof Stopped && (thrown === reason || asError(thrown).name === 'AbortError')) {
    terminal.say(reason.message);
    return reason.exitCode;
  }
  terminal.say(`error: ${asError(thrown).message}`);
  return isMillraceError(thrown) && thrown.code === 'INVALID_OPTIONS' ? USAGE : FAILED;
}
