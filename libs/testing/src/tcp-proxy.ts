import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { holdPort, listenOnFreePort } from '@millrace/redis';
import { type Direction, type Passage, ProxyLink } from './proxy-link.js';

const PASS: Passage = { kind: 'pass', delayMs: 0 };

/**
 * A network that can be broken: a TCP proxy on 127.0.0.1 in front of one server. A fault lasts until the next call;
 * {@link pass} ends them all.
 */
export class TcpProxy {
  #port = 0;
  #target: { host: string; port: number };
  readonly #links = new Set<ProxyLink>();
  #passages: Record<Direction, Passage> = { requests: PASS, replies: PASS };
  #release: () => void = () => undefined;
  #server: Server | null = null;
  /** Lets go of the port; it is held while connections are refused. */
  #letGo: (() => Promise<void>) | null = null;

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
  }

  /** @param targetUrl `redis://127.0.0.1:6379`; its host and port count */
  static async start(targetUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetOf(targetUrl));
    const server = proxy.#made();
    proxy.#port = await listenOnFreePort(server);
    proxy.#server = server;
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** `redis://127.0.0.1:<port>` */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** How many connections are open through the proxy. */
  get connections(): number {
    return this.#links.size;
  }

  /** Ends all faults. Bytes that were held go on. */
  async pass(): Promise<void> {
    this.#set({ requests: PASS, replies: PASS });
    await this.#listen();
  }

  /** As if the server were down: open connections are reset, new ones refused. No other test is given the port meanwhile. */
  async refuse(): Promise<void> {
    this.#letGo ??= await holdPort(this.#port);
    await this.#close();
  }

  /** As if the cable were cut: connections stay open and nothing arrives, in one direction or both, until {@link pass}. */
  blackHole(directions: readonly Direction[] = ['requests', 'replies']): void {
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    const through = (direction: Direction): Passage => (directions.includes(direction) ? { kind: 'hold', until } : PASS);
    this.#set({ requests: through('requests'), replies: through('replies') });
    this.#release = release;
  }

  /**
   * Requests reach the server, its replies are lost. Resolves when the first one was: the server has executed something that
   * its client does not know of. The next call resets the connections that lost a reply.
   */
  dropReplies(): Promise<void> {
    return new Promise((dropped) => this.#set({ requests: PASS, replies: { kind: 'drop', dropped } }));
  }

  /** Everything takes longer, in each direction. */
  delay(ms: number): void {
    this.#set({ requests: { kind: 'pass', delayMs: ms }, replies: { kind: 'pass', delayMs: ms } });
  }

  /** As if an address or a name were given to another server: new connections go there. Open ones stay where they are. */
  retarget(targetUrl: string): void {
    this.#target = targetOf(targetUrl);
  }

  /** Every open connection ends with a TCP reset; new ones are as before. */
  reset(): void {
    for (const link of this.#links) link.reset();
  }

  async stop(): Promise<void> {
    this.#set({ requests: PASS, replies: PASS });
    await this.#close();
    await this.#freed();
  }

  #set(passages: Record<Direction, Passage>): void {
    this.#passages = passages;
    this.#release();
    for (const link of this.#links) if (link.isBroken && passages.replies.kind !== 'drop') link.reset();
  }

  async #listen(): Promise<void> {
    if (this.#server) return;
    this.#server = this.#made().listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    await this.#freed();
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = server ? new Promise((resolve) => server.close(resolve)) : null;
    this.reset();
    await closed;
  }

  async #freed(): Promise<void> {
    const letGo = this.#letGo;
    this.#letGo = null;
    await letGo?.();
  }

  #made(): Server {
    return createServer({ allowHalfOpen: true }, (client) => {
      const link = new ProxyLink(client, this.#target, (direction) => this.#passages[direction]);
      this.#links.add(link);
      void link.closed.then(() => this.#links.delete(link));
    });
  }
}

function targetOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
