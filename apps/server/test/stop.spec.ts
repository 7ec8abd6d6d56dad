import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTestRedis, type TestRedis, TypeScriptChild, uniqueName } from '@millrace/testing';

const MAIN = new URL('../src/main.ts', import.meta.url);
const APPLICATION = join(process.env['COMPILED_SOURCES'] ?? '', 'apps/server/test/fixtures/held.module.js');

let redis: TestRedis;
let server: TypeScriptChild;
let port: number;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => void (redis = await startTestRedis()));
afterAll(async () => {
  agent.destroy();
  await redis.stop();
});
afterEach(() => server.kill());

async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
  port = await freePort();
  const own = { REDIS_URL: redis.url, MILLRACE_PREFIX: uniqueName('stop'), MILLRACE_APP: APPLICATION, MILLRACE_PORT: `${port}` };
  server = new TypeScriptChild(MAIN, { env: { ...own, ...env } });
  await said('listening on');
}

async function said(word: string): Promise<string> {
  let line = '';
  while (!line.includes(word)) line = await server.line();
  return line;
}

/** Resolves when the server accepts no connection any more. */
async function stopping(): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isAccepted = await once(socket, 'connect').then(() => true, () => false);
    if (!isAccepted) return;
    socket.destroy();
    await once(socket, 'close');
  }
}

/** Sends these bytes on a connection of its own. @returns it, which is closed when its `closed` resolves */
async function sent(bytes: string): Promise<{ readonly closed: Promise<unknown> }> {
  const socket = connect(port, '127.0.0.1');
  const closed = closing(socket);
  await once(socket, 'connect');
  if (bytes !== '') socket.write(bytes);
  // The server knows of the connections that came before one that it has answered.
  await (await answerTo('/health/live')).body;
  return { closed };
}

/** A connection that the server resets is closed, too. */
function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.on('error', () => undefined).resume().once('close', resolve));
}

interface Running {
  readonly response: IncomingMessage;
  readonly body: Promise<string>;
}

async function answerTo(path: string): Promise<Running> {
  const [response] = (await once(get({ port, host: '127.0.0.1', path, agent }), 'response')) as [IncomingMessage];
  return { response, body: text(response) };
}

const POST = 'POST /millrace/api/v1/topics/test.stop/messages HTTP/1.1\r\nhost: localhost\r\n';

describe('the server alone, at SIGTERM,', () => {
  it('ends connections without a whole request at once, answers the request that runs, and ends with code 0', async () => {
    await start();
    const others = [
      await sent(''), await sent(POST), await sent(`${POST}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"text":`),
      await sent('GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n'),
    ];
    const live = await answerTo('/millrace/api/v1/live');
    const running = answerTo('/held');
    await said('held');
    server.process.kill('SIGTERM');
    await Promise.all([...others.map(({ closed }) => closed), live.body]);
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    server.tell('go on');
    const { response, body } = await running;
    expect({ status: response.statusCode, connection: response.headers.connection, body: await body }).toEqual({
      status: 200, connection: 'close', body: '{"isHeld":true}',
    });
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it('answers the request that runs where another one on its connection has not come in whole', async () => {
    await start();
    const socket = connect(port, '127.0.0.1');
    const answer = text(socket);
    socket.write('GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await said('held');
    socket.write(`${POST}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"text":`);
    await (await answerTo('/health/live')).body;
    server.process.kill('SIGTERM');
    await stopping();
    server.tell('go on');
    expect(await answer).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*{"isHeld":true}/);
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it('sends an answer whole whose client reads slowly', async () => {
    await start();
    const [response] = (await once(get({ port, host: '127.0.0.1', path: '/held/large', agent: false }), 'response')) as [IncomingMessage];
    server.process.kill('SIGTERM');
    await stopping();
    expect(await text(response)).toHaveLength(32_000_000);
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it('cuts off a request that does not end in MILLRACE_SHUTDOWN_TIMEOUT, and ends with code 0', async () => {
    await start({ MILLRACE_SHUTDOWN_TIMEOUT: '50ms' });
    const running = expect(answerTo('/held')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await said('held');
    server.process.kill('SIGTERM');
    expect(await said('did not end')).toContain('1 request did not end in 0.05 s: cut off');
    await running;
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });
});
