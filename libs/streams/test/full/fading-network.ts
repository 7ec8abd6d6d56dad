import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenOnFreePort } from '@millrace/redis';

/** A network that drops connections silently, as a failing router does, and accepts new ones. */
export class FadingNetwork {
  readonly url: string;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async start(target: { readonly port: number }): Promise<FadingNetwork> {
    const server = createServer();
    const network = new FadingNetwork(server, await listenOnFreePort(server));
    server.on('connection', (client) => network.#link(client, connect(target.port, '127.0.0.1')));
    return network;
  }

  /** Present connections receive nothing any more, not even an end. */
  forget(): void {
    for (const [client, server] of this.#pairs) {
      client.unpipe(server).resume();
      server.unpipe(client).resume();
    }
  }

  async stop(): Promise<void> {
    for (const socket of [...this.#pairs].flat()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #link(client: Socket, server: Socket): void {
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const socket of pair) socket.on('error', () => socket.destroy());
    client.pipe(server).pipe(client);
  }
}
