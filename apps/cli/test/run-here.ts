import { PassThrough } from 'node:stream';
import { runCli } from '../src/run-cli.js';
import type { Surroundings } from '../src/surroundings/surroundings.js';

/** The end of a command. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Place {
  readonly env: NodeJS.ProcessEnv;
  /** It runs on a terminal. */
  readonly isTTY?: boolean;
  /** Characters of a line of the terminal. */
  readonly columns?: number;
  /** Typed by the user; without it there is nothing to read. */
  readonly typed?: string;
  /** All that standard input has, where it is no terminal. */
  readonly piped?: string;
}

interface Told {
  readonly surroundings: Surroundings;
  /** All that was written by now. */
  readonly said: () => { readonly stdout: string; readonly stderr: string };
}

/** The surroundings of a command line in this process. */
export function surroundingsOf({ env, isTTY = false, columns, typed, piped }: Place): Told {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  if (typed !== undefined) stdin.write(`${typed}\n`);
  if (!isTTY) stdin.end(piped);
  let [stdout, stderr] = ['', ''];
  const sink = { isTTY, ...(columns === undefined ? {} : { columns }) };
  const surroundings: Surroundings = {
    env, stdin,
    stdout: { ...sink, write: (text) => void (stdout += text) },
    stderr: { ...sink, write: (text) => void (stderr += text) },
    signal: new AbortController().signal,
    atEnd: () => () => undefined,
  };
  return { surroundings, said: () => ({ stdout, stderr }) };
}

/** Runs a command line to its end in this process. */
export async function runHere(args: readonly string[], place: Place): Promise<Ended> {
  const { surroundings, said } = surroundingsOf(place);
  const code = await runCli(args, surroundings);
  (surroundings.stdin as PassThrough).destroy();
  return { code, ...said() };
}

/** Runs a command line in this process, on a terminal. */
export function onTerminal(args: readonly string[], { columns = 80, ...place }: Omit<Place, 'isTTY'>): Promise<Ended> {
  return runHere(args, { ...place, columns, isTTY: true });
}
