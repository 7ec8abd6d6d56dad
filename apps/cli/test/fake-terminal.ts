import { PassThrough } from 'node:stream';
import { runCli } from '../src/run-cli.js';
import type { Surroundings } from '../src/surroundings/surroundings.js';
import type { Ended } from './cli-bed.js';

interface TerminalOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly columns?: number;
  /** Typed by the user. */
  readonly typed?: string;
}

/** Runs a command line in this process, on a terminal. */
export async function onTerminal(args: readonly string[], { env, columns = 80, typed }: TerminalOptions): Promise<Ended> {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  if (typed !== undefined) stdin.write(`${typed}\n`);
  let [stdout, stderr] = ['', ''];
  const surroundings: Surroundings = {
    env, stdin,
    stdout: { isTTY: true, columns, write: (text) => void (stdout += text) },
    stderr: { isTTY: true, columns, write: (text) => void (stderr += text) },
    signal: new AbortController().signal,
  };
  const code = await runCli(args, surroundings);
  stdin.destroy();
  return { code, stdout, stderr };
}
