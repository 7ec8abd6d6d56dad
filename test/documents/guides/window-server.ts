import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The shop window that the examples send prices to. */
export class WindowServer {
  /** Prices that it was sent, as `tea 3`. */
  readonly shown: string[] = [];
  /** The status of its answer, by item; 200 by default. */
  readonly statuses = new Map<string, number>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const item = request.url!.slice(1);
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        this.shown.push(`${item} ${body}`);
        response.writeHead(this.statuses.get(item) ?? 200).end();
      });
    });
  }

  static async start(): Promise<WindowServer> {
    const window = new WindowServer();
    window.#server.listen(0, '127.0.0.1');
    await once(window.#server, 'listening');
    return window;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
