import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitFor } from './wait-for.js';

/** Everything that a server is told, and that its scripts do, as MONITOR shows it. */
export class CommandTape {
  readonly #monitor: Socket;
  readonly #marker: Socket;
  #text = '';
  #marks = 0;

  private constructor(monitor: Socket, marker: Socket) {
    this.#monitor = monitor.on('data', (chunk: Buffer) => void (this.#text += chunk.toString('latin1')));
    this.#marker = marker;
  }

  /** @param url `redis://127.0.0.1:6379`; its host and port count. Resolves when all that follows is on the tape. */
  static async start(url: string): Promise<CommandTape> {
    const tape = new CommandTape(await connected(url), await connected(url));
    tape.#monitor.write('MONITOR\r\n');
    await waitFor(() => tape.#text.startsWith('+OK'), { what: 'the tape to begin' });
    return tape;
  }

  /** All lines until now; bytes beyond ASCII are escaped in them. */
  async text(): Promise<string> {
    this.#marks += 1;
    const mark = `mark-${process.pid}-${this.#marks}`;
    this.#marker.write(`ECHO ${mark}\r\n`);
    await waitFor(() => this.#text.includes(mark), { what: 'the tape to catch up' });
    return this.#text;
  }

  stop(): void {
    this.#monitor.destroy();
    this.#marker.destroy();
  }
}

async function connected(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  return socket;
}
