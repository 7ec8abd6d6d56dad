import { CliError } from '../failure/cli-error.js';
import type { Surroundings } from '../surroundings/surroundings.js';

/** The other screen, without a cursor, on which long lines end at the edge. */
const ENTER = '\u001B[?1049h\u001B[?25l\u001B[?7l';
const LEAVE = '\u001B[?7h\u001B[?25h\u001B[?1049l';
const [HOME, REST_OF_LINE, REST] = ['\u001B[H', '\u001B[K', '\u001B[J'];
const CTRL_C = '\u0003';

/** A terminal that a command has for itself; it is as before when the command ends, however that is. */
export class Screen {
  /** Resolves when the user leaves it. @throws CliError INTERRUPTED by Ctrl-C, which is a key here */
  readonly left: Promise<void>;
  readonly #surroundings: Surroundings;
  readonly #takeBack: () => void;
  readonly #heard: (chunk: Buffer | string) => void;
  #isOpen = true;

  /** @param pressed is told each other key */
  constructor(surroundings: Surroundings, pressed: (key: string) => void) {
    this.#surroundings = surroundings;
    this.#takeBack = surroundings.atEnd(() => this.#restore());
    const { promise, resolve, reject } = withResolvers();
    this.left = promise;
    this.#heard = (chunk) => {
      for (const key of chunk.toString()) {
        if (key === CTRL_C) reject(new CliError('INTERRUPTED', 'Interrupted.'));
        else if (key === 'q') resolve();
        else pressed(key);
      }
    };
    surroundings.stdin.setRawMode?.(true);
    surroundings.stdin.on('data', this.#heard);
    surroundings.stdout.write(ENTER);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @param text printable lines; those that do not fit are left out */
  draw(text: string): void {
    if (!this.#isOpen) return;
    const { stdout } = this.#surroundings;
    const lines = text.trimEnd().split('\n').slice(0, stdout.rows ?? 24);
    stdout.write(`${HOME}${lines.join(`${REST_OF_LINE}\r\n`)}${REST_OF_LINE}${REST}`);
  }

  /** May be called again. */
  close(): void {
    this.#takeBack();
    this.#restore();
  }

  #restore(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { stdin, stdout } = this.#surroundings;
    stdin.off('data', this.#heard);
    stdin.pause();
    stdin.setRawMode?.(false);
    stdout.write(LEAVE);
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
}
