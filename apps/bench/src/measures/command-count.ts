import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** The source in a line of MONITOR, `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`; of a script it is `lua`. */
const SOURCE = /^\+\d+\.\d+ \[\d+ (?<source>\S+)\]/;

/** Counts the commands that clients write to a Redis from when it is open; those that scripts call do not count. */
export class CommandCount {
  #count = 0;
  readonly #socket: Socket;

  private constructor(socket: Socket, from: ReadonlySet<string> | undefined) {
    this.#socket = socket;
    createInterface({ input: socket }).on('line', (line) => {
      const source = SOURCE.exec(line)?.groups?.['source'];
      if (source !== undefined && source !== 'lua' && (from?.has(source) ?? true)) this.#count += 1;
    });
    socket.write('MONITOR\r\n');
  }

  /** @param from only clients with these addresses. Default all */
  static open(url: string, from?: ReadonlySet<string>): Promise<CommandCount> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.once('error', reject);
      socket.once('connect', () => resolve(new CommandCount(socket, from)));
    });
  }

  close(): number {
    this.#socket.destroy();
    return this.#count;
  }
}
