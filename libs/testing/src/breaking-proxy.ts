import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenOnFreePort } from '@millrace/redis';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * A TCP proxy on 127.0.0.1 in front of a server with TLS, whose connections break off twice: by what is no TLS, and by a reset
 * once the client has complained about that. Node emits two errors of such a socket, since the first one does not end it.
 */
export class BreakingProxy {
  #port = 0;
  readonly #server: Server;
  readonly #links = new Set<Link>();

  /** @param port of the server on 127.0.0.1 */
  private constructor(port: number, { isBreaking }: { readonly isBreaking: boolean }) {
    this.#server = createServer((client) => {
      const link = this.#opened({ client, server: connect(port, '127.0.0.1') });
      if (isBreaking) void afterHandshake(client).then(() => breakOff(link));
    });
  }

  /** @param options whether each connection breaks off as soon as it has been made. Default false */
  static async start(port: number, { isBreaking = false } = {}): Promise<BreakingProxy> {
    const proxy = new BreakingProxy(port, { isBreaking });
    proxy.#port = await listenOnFreePort(proxy.#server);
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** Breaks off every connection. New ones are as before. @returns how many there were */
  async breakOff(): Promise<number> {
    const links = [...this.#links];
    await Promise.all(links.map(breakOff));
    return links.length;
  }

  async stop(): Promise<void> {
    for (const { client, server } of this.#links) for (const socket of [client, server]) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #opened(link: Link): Link {
    const { client, server } = link;
    this.#links.add(link);
    client.pipe(server).pipe(client);
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#links.delete(link);
        other.destroy();
      });
    }
    return link;
  }
}

/** The second time that a client sends something, it has seen to the certificate of the server. */
async function afterHandshake(client: Socket): Promise<void> {
  await once(client, 'data');
  await once(client, 'data');
}

async function breakOff({ client, server }: Link): Promise<void> {
  client.unpipe(server);
  server.unpipe(client);
  const complaint = once(client, 'data').catch(() => undefined);
  client.write('This is no record of TLS.');
  client.resume();
  await complaint;
  client.resetAndDestroy();
}
