import { connect, type Socket } from 'node:net';

/** The treatment of bytes at this moment. */
export type Passage =
  | { readonly kind: 'pass'; readonly delayMs: number }
  /** Kept until the promise resolves. */
  | { readonly kind: 'hold'; readonly until: Promise<void> }
  | { readonly kind: 'drop'; readonly dropped: () => void };

export type Direction = 'requests' | 'replies';

/** One connection through the proxy: two sockets, and bytes that stay in order whatever the passage. */
export class ProxyLink {
  /** Bytes were dropped, so later ones would make no sense to the client. */
  isBroken = false;
  readonly closed: Promise<void>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #passage: (direction: Direction) => Passage;

  constructor(client: Socket, target: { host: string; port: number }, passage: (direction: Direction) => Passage) {
    this.#client = client;
    this.#server = connect({ ...target, allowHalfOpen: true });
    this.#passage = passage;
    // A real network gathers nothing: with Nagle's algorithm small packets would wait for the other side's late acknowledgement.
    this.#client.setNoDelay(true);
    this.#server.setNoDelay(true);
    this.closed = new Promise((resolve) => client.once('close', () => resolve()));
    this.#forward('requests', this.#client, this.#server);
    this.#forward('replies', this.#server, this.#client);
  }

  /** Ends both sides with a TCP reset. */
  reset(): void {
    reset(this.#client);
    reset(this.#server);
  }

  #forward(direction: Direction, from: Socket, to: Socket): void {
    let tail = Promise.resolve();
    const inOrder = (step: () => void): void => {
      const due = this.#due(direction);
      tail = tail.then(() => due).then(step);
    };
    from.on('data', (chunk: Buffer) => {
      const passage = this.#passage(direction);
      if (passage.kind === 'drop') return this.#drop(passage);
      inOrder(() => void to.write(chunk));
    });
    from.on('end', () => inOrder(() => void to.end()));
    // One side is broken or gone: so is the link, for the other side as well.
    from.on('error', () => this.reset());
    from.on('close', () => inOrder(() => to.destroySoon()));
  }

  #drop(passage: Extract<Passage, { kind: 'drop' }>): void {
    this.isBroken = true;
    passage.dropped();
  }

  #due(direction: Direction): Promise<void> {
    const passage = this.#passage(direction);
    if (passage.kind === 'hold') return passage.until;
    if (passage.kind === 'pass' && passage.delayMs > 0) return new Promise((resolve) => setTimeout(resolve, passage.delayMs));
    return Promise.resolve();
  }
}

/** Node cannot reset a socket that is just ending: it would keep it open for ever, and keep the process from its end. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
