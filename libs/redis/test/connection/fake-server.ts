import { createServer, type Server, type Socket } from 'node:net';
import { listenOnFreePort } from '@millrace/redis';

/** Something that listens on a port and is not quite Redis. */
export class FakeServer {
  #port = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(onConnection: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      onConnection(socket);
      // A socket that nobody reads never ends.
      socket.resume();
    });
  }

  static async start(onConnection: (socket: Socket) => void): Promise<FakeServer> {
    const fake = new FakeServer(onConnection);
    fake.#port = await listenOnFreePort(fake.#server);
    return fake;
  }

  /** One that speaks Redis's protocol, and answers each command with what `answer` gives: `+OK\r\n`. */
  static speaking(answer: (command: string) => string): Promise<FakeServer> {
    return FakeServer.start((socket) => {
      socket.on('data', (chunk: Buffer) => {
        for (const name of namesOf(chunk.toString())) socket.write(answer(name));
      });
    });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The answer to INFO. */
export function infoReply(fields: Readonly<Record<string, string>>): string {
  const text = Object.entries(fields).map(([name, value]) => `${name}:${value}\r\n`).join('');
  return `$${text.length}\r\n${text}\r\n`;
}

/** The names of the commands in a chunk; that no command is cut in two is good enough here. */
function namesOf(chunk: string): string[] {
  return [...chunk.matchAll(/\*\d+\r\n\$\d+\r\n([^\r]*)\r\n/g)].map(([, name = '']) => name.toUpperCase());
}
