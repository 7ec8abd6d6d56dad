import { constants, hostname, userInfo } from 'node:os';

/** A stream that text is written to; on a terminal `isTTY` is true. */
export interface TextSink {
  readonly isTTY?: boolean;
  /** Characters of a line of the terminal. */
  readonly columns?: number;
  /** Lines of the terminal. */
  readonly rows?: number;
  write(text: string, written?: (error?: Error | null) => void): unknown;
}

/** Where a command runs: all that it knows of its process. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };
  /** Takes the data. */
  readonly stdout: TextSink;
  /** Takes all else: progress, questions, errors. */
  readonly stderr: TextSink;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Runs the function when the process ends by itself or by a signal that can be heard. @returns takes it back */
  readonly atEnd: (act: () => void) => () => void;
}

const INTERRUPTED = 130;

/**
 * The surroundings of this process. When nobody reads its output any more, as behind `| head`, the process ends quietly; at a
 * second Ctrl-C it ends at once.
 */
export function surroundingsOfProcess(): Surroundings {
  const controller = new AbortController();
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endQuietly);
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  });
  const { env, stdin, stdout, stderr } = process;
  return { env, stdin, stdout, stderr, signal: controller.signal, atEnd };
}

/** Resolves when the operating system has all output: ending the process before would cut it off. */
export async function flushed({ stdout, stderr }: Pick<Surroundings, 'stdout' | 'stderr'>): Promise<void> {
  await Promise.all([stdout, stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))));
}

/** The name of whoever acts: the user of the operating system, and the host. */
export function actorOf(env: NodeJS.ProcessEnv): string {
  return `${userName(env)}@${hostname()}`.slice(0, 200);
}

/** A container may run as a user without a name. */
function userName(env: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username;
  } catch {
    return env['USER'] ?? 'unknown';
  }
}

function atEnd(act: () => void): () => void {
  const end = (signal: NodeJS.Signals): never => process.exit(128 + constants.signals[signal]);
  process.once('exit', act).once('SIGTERM', end).once('SIGHUP', end);
  return () => void process.off('exit', act).off('SIGTERM', end).off('SIGHUP', end);
}

function endQuietly(error: NodeJS.ErrnoException): never {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
}
