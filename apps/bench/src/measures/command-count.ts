import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** The source in a line of MONITOR, `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`; of a script it is `lua`. */
const SOURCE = /^\+\d+\.\d+ \[\d+ (?<source>\S+)\]/;

/** Counts the commands that clients write to a Redis from when it is open; those that scripts call do not count. */
export class CommandCount {
  #count = 0;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @param from only clients with these addresses. Default all */
  static async open(url: string, from?: ReadonlySet<string>): Promise<CommandCount> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const [counting, lines] = [new CommandCount(socket), createInterface({ input: socket })];
    const answered = new Promise((resolve, reject) => {
      socket.once('error', reject);
      lines.once('line', resolve);
    });
    socket.write('MONITOR\r\n');
    await answered;
    lines.on('line', (line) => counting.#saw(SOURCE.exec(line)?.groups?.['source'], from));
    return counting;
  }

  get count(): number {
    return this.#count;
  }

  close(): void {
    this.#socket.destroy();
  }

  #saw(source: string | undefined, from: ReadonlySet<string> | undefined): void {
    if (source !== undefined && source !== 'lua' && (from?.has(source) ?? true)) this.#count += 1;
  }
}
