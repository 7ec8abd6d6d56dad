import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenOnFreePort } from '@millrace/redis';

/** The moment of a cut, by texts in what is sent to the server. */
interface Moment {
  /** It was sent before. */
  readonly after: string;
  /** It is not let through any more. */
  readonly before: string;
}

/** A TCP proxy on 127.0.0.1 in front of a Redis that lets nothing through any more, in both directions, from a moment on. */
export class CutProxy {
  /** Resolves at the moment. */
  readonly cut: Promise<void>;
  readonly #moment: Moment;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #isNear = false;
  #isCut = false;
  #end!: () => void;

  private constructor(target: URL, moment: Moment) {
    this.#moment = moment;
    this.cut = new Promise((resolve) => (this.#end = resolve));
    this.#server = createServer((client) => this.#link(client, connect(Number(target.port), target.hostname)));
  }

  /** @param url `redis://127.0.0.1:6379`; its host and port count */
  static async start(url: string, moment: Moment): Promise<CutProxy> {
    const proxy = new CutProxy(new URL(url), moment);
    proxy.#port = await listenOnFreePort(proxy.#server);
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #link(client: Socket, server: Socket): void {
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket.setNoDelay(true));
      socket.on('error', () => undefined).once('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => this.#sent(chunk.toString('latin1')) && server.write(chunk));
    server.on('data', (chunk: Buffer) => !this.#isCut && client.write(chunk));
  }

  /** @returns whether it is let through */
  #sent(text: string): boolean {
    if (this.#isNear && text.includes(this.#moment.before)) {
      this.#isCut = true;
      this.#end();
    }
    this.#isNear ||= text.includes(this.#moment.after);
    return !this.#isCut;
  }
}
