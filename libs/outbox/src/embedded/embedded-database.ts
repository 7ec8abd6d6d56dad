import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { ClientConnection, type ClientRules } from './client-connection.js';
import type { SharedSession } from './shared-session.js';

const HOST = '127.0.0.1';

/** Serves the embedded database to the processes of this machine that know its password. */
export class EmbeddedDatabase {
  readonly #session: SharedSession;
  readonly #rules: ClientRules;
  readonly #server: Server;
  readonly #clients = new Set<ClientConnection>();
  #stopped: Promise<void> | null = null;

  constructor(session: SharedSession, rules: ClientRules) {
    this.#session = session;
    this.#rules = rules;
    this.#server = createServer((socket) => {
      const client = new ClientConnection(socket, session, rules);
      this.#clients.add(client);
      socket.on('close', () => this.#clients.delete(client));
    });
  }

  /** Takes a free port. */
  async listen(): Promise<void> {
    this.#server.listen(0, HOST);
    await once(this.#server, 'listening');
  }

  /** Its parameter keeps our own connections from setting a limit that PGlite cannot bear; the limit is enforced here instead. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `postgres://postgres:${this.#rules.password}@${HOST}:${port}/postgres?idle_in_transaction_session_timeout=0`;
  }

  /** Cuts the clients, rolls back their open transactions, closes the database. May be called again. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async #stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    await Promise.all([...this.#clients].map((client) => client.destroy()));
    await closed;
    await this.#session.turn.acquire();
    await this.#session.close();
  }
}
