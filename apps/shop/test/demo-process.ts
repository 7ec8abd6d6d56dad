import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../dist/apps/shop/src/main.js', import.meta.url));

/** A command line that runs another one on a pseudo terminal (Linux only). */
function inTerminal(command: readonly string[], columns: number): string[] {
  return ['script', '--quiet', '--return', '--flush', '--command', `stty cols ${columns}; exec ${command.join(' ')}`, '/dev/null'];
}

/** How a run of the demo ended. */
export interface DemoEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built demo as a process. Its child processes inherit a mark in their environment, by which they are found again. */
export class DemoProcess {
  readonly ended: Promise<DemoEnd>;
  readonly #child: ChildProcess;
  readonly #mark = randomUUID();
  #stdout = '';
  #stderr = '';

  /** @param columns width of the terminal that it writes both of its streams to; default: to no terminal */
  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}, columns?: number) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: build it with npm run build.`);
    const { REDIS_URL: _redis, DATABASE_URL: _database, ...inherited } = process.env;
    const command = [process.execPath, MAIN, ...args];
    const [program = '', ...rest] = columns === undefined ? command : inTerminal(command, columns);
    this.#child = spawn(program, rest, {
      env: { ...inherited, ...env, SHOP_SPEC_MARK: this.#mark },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code) => resolve({ code, stdout: this.#stdout, stderr: this.#stderr }));
    });
  }

  /** Resolves when it has written a line that matches to stderr; rejects when it ends before. */
  async said(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(this.#stderr)) resolve();
      };
      this.#child.stderr?.on('data', look);
      this.#child.once('close', () => reject(new Error(`it ended and never said ${pattern}:\n${this.#stderr}`)));
      look();
    });
  }

  /** Stops reading what it writes to stderr, as `| head` does. */
  stopReading(): void {
    this.#child.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Command lines of this process and of what it started, as far as they still run (Linux only). */
  async running(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const commands = await Promise.all(pids.map((pid) => this.#commandOf(pid)));
    return commands.filter((command) => command !== '');
  }

  async #commandOf(pid: string): Promise<string> {
    try {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      return environment.includes(this.#mark) ? command.replaceAll('\0', ' ').trim() : '';
    } catch {
      // It ended between being listed and being read, or belongs to another user and is none of ours.
      return '';
    }
  }
}
