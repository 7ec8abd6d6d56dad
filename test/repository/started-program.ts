import { type ChildProcessWithoutNullStreams, spawn, type SpawnOptionsWithoutStdio } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from '@millrace/testing';

/** A program reads a thousand files before it says anything: on a machine with other work that takes its time. */
const START_MS = 120_000;

/** A file of JavaScript that runs in a process of its own. */
export class StartedProgram {
  readonly process: ChildProcessWithoutNullStreams;
  /** Its exit code; null for a signal. */
  readonly ended: Promise<number | null>;
  /** All that it has written to both streams. */
  output = '';

  constructor(file: string, args: readonly string[], options: SpawnOptionsWithoutStdio) {
    this.process = spawn(process.execPath, [file, ...args], options);
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.ended = once(this.process, 'close').then(([code]) => code as number | null);
  }

  async says(text: string): Promise<void> {
    const isSaid = (): true => {
      if (this.output.includes(text)) return true;
      throw new Error(`it has said: ${this.output}`);
    };
    const said = waitFor(isSaid, { what: text, timeoutMs: START_MS });
    await Promise.race([said, this.ended.then((code) => this.#endedEarly(code, text))]);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  #endedEarly(code: number | null, text: string): void {
    if (!this.output.includes(text)) throw new Error(`It ended with ${code} and never said ${text}: ${this.output}`);
  }
}
