import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';
import { listenOnFreePort } from '@millrace/redis';

const SET_NAME = /setname\r\n\$\d+\r\n([^\r]+)\r\n/i;

/** A TCP proxy that can break some connections, or some commands, alone. */
export class SelectiveProxy {
  #port = 0;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #rule: Rule = PASS;

  private constructor(target: URL) {
    this.#server = createServer((client) => this.#open(client, target));
  }

  /** @param targetUrl `redis://127.0.0.1:6379`; only host and port are used */
  static async start(targetUrl: string): Promise<SelectiveProxy> {
    const proxy = new SelectiveProxy(new URL(targetUrl));
    proxy.#port = await listenOnFreePort(proxy.#server);
    return proxy;
  }

  /** `redis://127.0.0.1:<port>` */
  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** The names of the open connections, as `CLIENT SETNAME` set them. */
  get names(): string[] {
    return [...this.#links].map(({ name }) => name);
  }

  /** All bytes pass from now on, also those that were kept. */
  pass(): void {
    this.follow(PASS);
  }

  /** The rule decides from now on which bytes pass. */
  follow(rule: Rule): void {
    this.#rule = rule;
    for (const link of this.#links) link.wake();
  }

  async stop(): Promise<void> {
    this.pass();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const link of this.#links) link.reset();
    await closed;
  }

  #open(client: Socket, target: URL): void {
    const link = new Link(client, target, (passage) => this.#rule(passage));
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
  }
}

/** Bytes on their way, as they came from the socket. */
export interface Passage {
  readonly direction: 'request' | 'reply';
  /** The connection's name; empty until it has one. */
  readonly name: string;
  readonly text: string;
}

/** `keep`: until the rule says otherwise; `lose`: the bytes alone are lost; `break`: their connection is reset as well. */
export type Rule = (passage: Passage) => 'pass' | 'keep' | 'lose' | 'break';

const PASS: Rule = () => 'pass';

class Link {
  name = '';
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #rule: Rule;
  /** Passages that are kept: each asks the rule again. */
  #kept: (() => void)[] = [];

  constructor(client: Socket, target: URL, rule: Rule) {
    this.#client = client;
    this.#server = connect(Number(target.port), target.hostname);
    this.#rule = rule;
    this.#join('request', this.#client, this.#server);
    this.#join('reply', this.#server, this.#client);
  }

  wake(): void {
    for (const ask of this.#kept.splice(0)) ask();
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  #join(direction: Passage['direction'], from: Socket, to: Socket): void {
    const gate = new Transform({
      transform: (chunk: Buffer, _, done) => this.#admit(direction, chunk, (passed) => done(null, passed)),
    });
    // The client and the server notice the error themselves.
    pipeline(from, gate, to, () => this.#client.destroy());
  }

  #admit(direction: Passage['direction'], chunk: Buffer, done: (passed?: Buffer) => void): void {
    const text = chunk.toString('latin1');
    if (direction === 'request') this.name = SET_NAME.exec(text)?.[1] ?? this.name;
    const verdict = this.#rule({ direction, name: this.name, text });
    if (verdict === 'pass') done(chunk);
    else if (verdict === 'lose') done();
    else if (verdict === 'break') this.reset();
    else this.#kept.push(() => this.#admit(direction, chunk, done));
  }
}
