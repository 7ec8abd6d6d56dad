import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const LOADER = new URL('../loader/register.mjs', import.meta.url).href;
const TEST_CHILD = new URL('../loader/test-child.mjs', import.meta.url).href;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Where Jest has compiled the sources to: a process starts in half the time there. Absent: the loader compiles them. */
const COMPILED = process.env['COMPILED_SOURCES'];

/**
 * A TypeScript file running in a Node process of its own, to be watched, told something, signalled and killed by a test. It ends
 * with the test's process at the latest, since its standard input does.
 */
export class TypeScriptChild {
  readonly process: ChildProcessWithoutNullStreams;
  /** Resolves when the process has ended and its output is complete. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #lines: AsyncIterator<string, undefined>;
  #errors = '';

  /**
   * @param file of the sources: `new URL('./fixtures/parent.ts', import.meta.url)`
   * @param options arguments, and environment variables beside those of this process; `loadsTypeScript`: it imports files by
   *   names that end in `.ts`, so that they must not be compiled before
   */
  constructor(file: URL, options: { args?: readonly string[]; env?: NodeJS.ProcessEnv; loadsTypeScript?: boolean } = {}) {
    const { loadsTypeScript = false } = options;
    const args = ['--import', 'reflect-metadata', ...commandOf(fileURLToPath(file), loadsTypeScript), ...(options.args ?? [])];
    this.process = spawn(process.execPath, args, { env: { ...process.env, MILLRACE_TEST_CHILD: '1', ...options.env } });
    this.ended = new Promise((resolve, reject) => {
      this.process.once('error', reject);
      this.process.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    // A process that has ended hears nothing: its end is told by other means.
    this.process.stdin.on('error', () => undefined);
    this.process.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
  }

  /**
   * The next line that it writes to its standard output.
   *
   * @throws Error, with what it wrote to its standard error, when it ends before
   */
  async line(): Promise<string> {
    const next: IteratorResult<string, undefined> = await this.#lines.next();
    if (!next.done) return next.value;
    const { code, signal } = await this.ended;
    throw new Error(`The process ended (${signal ?? code}) before it wrote another line. ${this.#errors}`);
  }

  /** Writes a line to its standard input; nothing happens when it has ended. */
  tell(line: string): void {
    this.process.stdin.write(`${line}\n`);
  }

  /** Sends the signal and resolves when the process has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.ended;
  }
}

/** A file that came after Jest had compiled the sources, as one of an example, is left to the loader. */
function commandOf(path: string, loadsTypeScript: boolean): string[] {
  const compiled = loadsTypeScript ? null : compiledOf(path);
  return compiled === null ? ['--import', LOADER, path] : ['--import', TEST_CHILD, compiled];
}

function compiledOf(path: string): string | null {
  if (!COMPILED || path.startsWith(COMPILED)) return COMPILED ? path : null;
  const compiled = join(COMPILED, relative(ROOT, path)).replace(/\.ts$/, '.js');
  return existsSync(compiled) ? compiled : null;
}
