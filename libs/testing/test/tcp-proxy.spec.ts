import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TcpProxy, waitFor } from '@millrace/testing';

let server: EchoServer;
let proxy: TcpProxy;
const clients: Client[] = [];

beforeEach(async () => {
  server = await EchoServer.start();
  proxy = await TcpProxy.start(server.url);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await proxy.stop();
  await server.stop();
});

/** Answers every line with the same line, and knows what it received. */
class EchoServer {
  received = '';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('data', (chunk: Buffer) => {
        this.received += chunk.toString();
        socket.write(chunk);
      });
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<EchoServer> {
    const echo = new EchoServer();
    await once(echo.#server.listen(0, '127.0.0.1'), 'listening');
    return echo;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

class Client {
  received = '';
  readonly socket: Socket;
  /** How the connection ended: the error's code, or `closed`. */
  readonly ended: Promise<string>;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => (this.received += chunk.toString()));
    this.ended = new Promise((resolve) => {
      this.socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      this.socket.once('close', () => resolve('closed'));
    });
    clients.push(this);
  }

  send(text: string): void {
    this.socket.write(text);
  }

  async got(text: string): Promise<void> {
    await waitFor(() => this.received === text, { what: `the client to have received ${JSON.stringify(text)}` });
  }
}

async function talking(): Promise<Client> {
  const client = new Client(proxy.port);
  client.send('hello ');
  await client.got('hello ');
  return client;
}

async function serverGot(text: string): Promise<void> {
  await waitFor(() => server.received === text, { what: `the server to have received ${JSON.stringify(text)}` });
}

describe('a TCP proxy', () => {
  it('passes everything on, large things too', async () => {
    const client = await talking();
    const large = 'x'.repeat(3_000_000);
    client.send(large);
    await waitFor(() => client.received.length === large.length + 6, { what: 'all of it' });
    expect(proxy.connections).toBe(1);
  });

  it('passes on that a side has ended', async () => {
    const client = await talking();
    client.socket.end();
    expect(await client.ended).toBe('closed');
    await waitFor(() => server.connections === 0 && proxy.connections === 0, { what: 'the connection to end everywhere' });
  });

  it('resets the client when there is no server behind it', async () => {
    await server.stop();
    expect(await new Client(proxy.port).ended).toBe('ECONNRESET');
  });

  it('refuses: resets what is open, refuses what is new, until it passes again', async () => {
    const client = await talking();
    await proxy.refuse();
    expect(await client.ended).toBe('ECONNRESET');
    expect(await new Client(proxy.port).ended).toBe('ECONNREFUSED');
    await proxy.pass();
    await talking();
  });

  it('is a black hole: nothing arrives and nothing ends, and then everything does, in order', async () => {
    const client = await talking();
    proxy.blackHole();
    client.send('one ');
    client.send('two ');
    const other = new Client(proxy.port);
    await once(other.socket, 'connect');
    other.send('three ');
    await proxyHasRead(client, other);
    expect(server.received).toBe('hello ');
    await proxy.pass();
    await client.got('hello one two ');
    await other.got('three ');
  });

  it('is a black hole in one direction', async () => {
    const client = await talking();
    proxy.blackHole(['replies']);
    client.send('one ');
    await serverGot('hello one ');
    expect(client.received).toBe('hello ');
    proxy.blackHole(['requests']);
    await client.got('hello one ');
  });

  it('drops replies: the server has done it and the client never learns', async () => {
    const client = await talking();
    const dropped = proxy.dropReplies();
    client.send('one ');
    await dropped;
    await proxyHasRead(client);
    expect(server.received).toBe('hello one ');
    expect(client.received).toBe('hello ');
    await proxy.pass();
    expect(await client.ended).toBe('ECONNRESET');
    expect(client.received).toBe('hello ');
    await talking();
  });

  it('delays, and keeps the order when the delay ends before what it holds', async () => {
    const client = await talking();
    proxy.delay(200);
    client.send('one ');
    await proxyHasRead(client);
    await proxy.pass();
    client.send('two ');
    await client.got('hello one two ');
  });

  it('resets what is open and nothing else', async () => {
    const client = await talking();
    proxy.reset();
    expect(await client.ended).toBe('ECONNRESET');
    await waitFor(() => server.connections === 0, { what: 'the server to see it' });
    await talking();
  });

  it('leads to another server from now on, and leaves what is open where it is', async () => {
    const client = await talking();
    const other = await EchoServer.start();
    proxy.retarget(other.url);
    const late = new Client(proxy.port);
    late.send('late ');
    await late.got('late ');
    client.send('one ');
    await client.got('hello one ');
    expect([server.received, other.received]).toEqual(['hello one ', 'late ']);
    late.socket.destroy();
    await other.stop();
  });

  it('is gone after stop, in the middle of a fault too', async () => {
    const client = await talking();
    proxy.blackHole();
    client.send('one ');
    await proxy.stop();
    expect(await client.ended).toBe('ECONNRESET');
    expect(await new Client(proxy.port).ended).toBe('ECONNREFUSED');
  });
});

/** The proxy runs in this process: once the kernel has taken the bytes, it reads them in the next turns of the loop. */
async function proxyHasRead(...senders: Client[]): Promise<void> {
  await waitFor(() => senders.every(({ socket }) => socket.writableLength === 0), { what: 'the bytes to be sent' });
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
