import type { MalformedLine } from '../orders/read-orders.js';
import type { Terminal } from './terminal.js';

/** Enough to see what is wrong. */
const TOLD = 10;

/** Reports the first malformed lines one by one, and the number of the others. */
export class LeftOutLines {
  readonly #terminal: Terminal;
  #count = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  add({ file, line, problem }: MalformedLine): void {
    this.#count += 1;
    if (this.#count <= TOLD) this.#terminal.say(`${file}:${line}: left out: ${problem}`);
  }

  /** Ends the report when no more lines come. */
  conclude(): void {
    if (this.#count > TOLD) this.#terminal.say(`and ${this.#count - TOLD} more malformed lines were left out`);
  }
}
