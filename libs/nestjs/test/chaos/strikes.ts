import type { ToldProcess } from '@millrace/testing';
import type { History, Mark, Strike } from './history.js';

/** All that befell the processes, and what they told of their work. */
export class Strikes {
  readonly #strikes: Strike[] = [];
  readonly #marks: Mark[] = [];
  #killed = 0;
  #badExits = 0;

  get noted(): Pick<History, 'strikes' | 'marks' | 'killed' | 'badExits'> {
    return { strikes: this.#strikes, marks: this.#marks, killed: this.#killed, badExits: this.#badExits };
  }

  /** Notes how the process ends. */
  async follow(process: ToldProcess): Promise<void> {
    const { code } = await process.ended;
    if (code !== null) this.#badExits += Number(code !== 0);
    else {
      this.#killed += 1;
      this.#strikes.push({ pid: process.pid, from: Date.now(), to: Date.now() });
    }
  }

  /** Notes that something befalls the process for as long as it lasts. */
  async during(process: ToldProcess, fault: () => Promise<unknown>): Promise<void> {
    const from = Date.now();
    await fault();
    this.#strikes.push({ pid: process.pid, from, to: Date.now() });
  }

  /** @param words `marked <kind> <order> <at>` or `stalled <pid> <from> <to>` */
  hear([word, ...rest]: readonly string[]): void {
    if (word === 'marked') this.#marks.push({ kind: rest[0] as Mark['kind'], order: Number(rest[1]), at: Number(rest[2]) });
    if (word === 'stalled') this.#strikes.push({ pid: Number(rest[0]), from: Number(rest[1]), to: Number(rest[2]) });
  }
}
