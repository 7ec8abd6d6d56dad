import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { defineTopic, MillraceModule } from '@millrace/nestjs';
import { startTestRedis, type TestRedis, uniqueName, waitFor } from '@millrace/testing';
import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MillraceServerModule } from '../src/index.js';
import { LiveFeed, type LiveFeedOptions, type LiveSample } from '../src/live-feed.js';
import { ADAPTERS, API, byHeader, portOf, send } from './fixture.js';

interface LiveEvent {
  readonly event: string;
  readonly data: unknown;
  readonly id?: string;
}

/** A client of server-sent events. */
class Listening {
  #text = '';

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8').on('data', (chunk: string) => (this.#text += chunk));
    response.on('error', () => undefined);
  }

  static open(port: number, path: string, headers: Record<string, string> = {}): Promise<Listening> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, headers }, (response) => resolve(new Listening(response)));
      sent.on('error', reject).end();
    });
  }

  /** The next events, once there are so many. */
  async take(count: number): Promise<LiveEvent[]> {
    for (;;) {
      const parts = this.#text.split('\n\n').slice(0, -1);
      if (parts.length >= count) {
        this.#text = this.#text.split('\n\n').slice(count).join('\n\n');
        return parts.slice(0, count).map(eventOf);
      }
      await once(this.response, 'data');
    }
  }

  async ended(): Promise<void> {
    if (!this.response.closed) await once(this.response, 'close');
  }

  close(): void {
    this.response.destroy();
  }
}

/** Who listens, in the tests of the feed alone. */
function nameOf({ headers }: IncomingMessage): string {
  return String(headers['x-test']);
}

function eventOf(text: string): LiveEvent {
  const lines = text.split('\n').map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
  const { event = '', data = '', id } = Object.fromEntries(lines) as Record<string, string>;
  return { event, data: JSON.parse(data) as unknown, ...(id === undefined ? {} : { id }) };
}

describe('the live events', () => {
  let redis: TestRedis;
  let app: INestApplication | undefined;

  beforeAll(async () => void (redis = await startTestRedis()));
  afterAll(() => redis.stop());
  afterEach(() => app?.close());

  async function start(adapter: string): Promise<INestApplication> {
    @Module({
      imports: [
        MillraceModule.forRoot({ redis: redis.url, prefix: uniqueName('live') }), MillraceModule.forFeature([defineTopic('test.live')]),
        MillraceServerModule.forRoot(byHeader),
      ],
    })
    class AppModule {}
    app = await NestFactory.create(AppModule, ADAPTERS[adapter]!(), { logger: false });
    await app.listen(0, '127.0.0.1');
    return app;
  }

  it.each(Object.keys(ADAPTERS))('tell of the platform as it changes, for viewers, and end when the server stops: on %s', async (adapter) => {
    const running = await start(adapter);
    expect(await send(running, `${API}/live`)).toMatchObject({ status: 401 });
    expect(await send(running, `${API}/live`, { as: 'sender' })).toMatchObject({ status: 403 });
    expect(await send(running, `${API}/live`, { as: 'viewer', method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    const first = await Listening.open(portOf(running), `${API}/live`, { 'x-test': 'viewer' });
    expect(first.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    const [overview, lag] = await first.take(2);
    expect(overview).toEqual({ event: 'overview', data: expect.objectContaining({ topics: 1, sums: expect.objectContaining({ messages: 0 }) }) });
    expect(lag).toEqual({ event: 'lag', data: [], id: expect.any(String) });
    await send(running, `${API}/topics/test.live/messages`, { as: 'sender', body: '1' });
    const second = await Listening.open(portOf(running), `${API}/live`, { 'x-test': 'viewer' });
    const seen = async (listening: Listening): Promise<unknown> => {
      for (;;) {
        const [next] = await listening.take(2);
        const { sums } = next!.data as { sums: { messages: number } };
        if (sums.messages > 0) return sums.messages;
      }
    };
    expect(await Promise.all([seen(first), seen(second)])).toEqual([1, 1]);
    await running.close();
    await Promise.all([first.ended(), second.ended()]);
  });

  it.each(Object.keys(ADAPTERS))('are for 20 listeners of one principal, and for others still: on %s', async (adapter) => {
    const running = await start(adapter);
    const open = (as: string): Promise<Listening> => Listening.open(portOf(running), `${API}/live`, { 'x-test': as });
    const all = await Promise.all(Array.from({ length: 20 }, () => open('viewer')));
    expect(all.map(({ response }) => response.statusCode)).toEqual(all.map(() => 200));
    expect((await open('viewer')).response.statusCode).toBe(503);
    expect(await send(running, `${API}/live`, { as: 'viewer' })).toMatchObject({
      status: 503, body: { code: 'HTTP_503', detail: '20 listen as "vera" already, and no more may. Try again later.' },
    });
    expect((await open('admin')).response.statusCode).toBe(200);
  });
});

/** A feed behind a server of its own. */
interface Served {
  readonly feed: LiveFeed;
  readonly server: Server;
  readonly port: number;
  /** How often it has looked. */
  readonly looks: () => number;
}

describe('a feed', () => {
  const all: Served[] = [];

  afterEach(() => {
    for (const { feed, server } of all.splice(0)) {
      feed.close();
      server.closeAllConnections();
      server.close();
    }
  });

  async function start(options: Partial<LiveFeedOptions> = {}): Promise<Served> {
    let looks = 0;
    const sample = (): Promise<LiveSample> => Promise.resolve({ look: (looks += 1) });
    const limits = { mostListeners: 3, mostOfOne: 3, mostBufferedBytes: 1_000_000 };
    const feed = new LiveFeed({ sample, everyMs: 5, pingMs: 60_000, longestMs: 60_000, ...limits, ...options });
    const server = createServer((incoming, response) => {
      try {
        feed.add(nameOf(incoming), incoming, response);
      } catch (error) {
        response.writeHead((error as { getStatus(): number }).getStatus()).end();
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const served = { feed, server, port: (server.address() as AddressInfo).port, looks: () => looks };
    all.push(served);
    return served;
  }

  /** Waits until so many listen. */
  async function listeners(feed: LiveFeed, count: number): Promise<void> {
    await waitFor(() => feed.listeners === count, { what: `${count} listeners` });
  }

  it('takes nobody who has left before they were let in', async () => {
    const { feed, server, port } = await start();
    const added = new Promise<void>((resolve) => {
      server.removeAllListeners('request').once('request', (incoming: IncomingMessage, response: ServerResponse) => {
        response.once('close', () => {
          feed.add(nameOf(incoming), incoming, response);
          resolve();
        });
      });
    });
    const sent = request({ host: '127.0.0.1', port }).on('error', () => undefined);
    sent.end();
    await once(server, 'request');
    sent.destroy();
    await added;
    expect(feed.listeners).toBe(0);
  });

  it('looks once for all, and not while nobody listens', async () => {
    const { feed, port, looks } = await start();
    expect(looks()).toBe(0);
    const [one, two] = [await Listening.open(port, '/'), await Listening.open(port, '/')];
    const seen = await one.take(20);
    expect(seen.map(({ data }) => data)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    const ids = (await two.take(10)).map(({ id }) => id);
    expect(seen.map(({ id }) => id)).toEqual(expect.arrayContaining(ids.slice(0, 1)));
    one.close();
    two.close();
    await listeners(feed, 0);
    // One look may be under way.
    const after = looks() + 1;
    // Another feed, to which somebody listens, looks as often as this one would.
    const other = await start();
    await (await Listening.open(other.port, '/')).take(20);
    expect(looks()).toBeLessThanOrEqual(after);
  });

  it('takes no more listeners than it may have, until one goes', async () => {
    const { feed, port } = await start();
    const [one] = await Promise.all([1, 2, 3].map(() => Listening.open(port, '/')));
    expect((await Listening.open(port, '/')).response.statusCode).toBe(503);
    one!.close();
    await listeners(feed, 2);
    expect((await Listening.open(port, '/')).response.statusCode).toBe(200);
  });

  it('takes no more listeners of one principal than it may have, until one goes, and others still', async () => {
    const { feed, port } = await start({ mostListeners: 5, mostOfOne: 2 });
    const open = (as: string): Promise<Listening> => Listening.open(port, '/', { 'x-test': as });
    const [one] = await Promise.all([open('ann'), open('ann')]);
    expect((await open('ann')).response.statusCode).toBe(503);
    expect((await open('bob')).response.statusCode).toBe(200);
    one.close();
    await listeners(feed, 2);
    expect((await open('ann')).response.statusCode).toBe(200);
  });

  it('cuts off a reader that does not read, and serves the others', async () => {
    const { feed, port } = await start({ sample: () => Promise.resolve({ look: 'x'.repeat(500_000) }) });
    const slow = connect(port, '127.0.0.1', () => slow.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'));
    slow.on('error', () => undefined).pause();
    await listeners(feed, 1);
    const quick = await Listening.open(port, '/');
    while (feed.listeners === 2) await quick.take(1);
    expect(await quick.take(3)).toHaveLength(3);
    slow.destroy();
  });

  it('gives the last look at once, unless the listener has it', async () => {
    const { feed, port } = await start({ everyMs: 60_000 });
    const [first] = await (await Listening.open(port, '/')).take(1);
    expect(await (await Listening.open(port, '/', { 'last-event-id': 'another' })).take(1)).toEqual([first]);
    const knowing = await Listening.open(port, '/', { 'last-event-id': first!.id! });
    let text = '';
    knowing.response.on('data', (chunk: string) => (text += chunk));
    feed.close();
    await knowing.ended();
    expect(text).toBe('');
    expect((await Listening.open(port, '/')).response.statusCode).toBe(503);
  });

  it('pings, tells of a look that failed, and sends listeners away from time to time', async () => {
    const { feed, port } = await start({ sample: () => Promise.reject(new Error('away')), everyMs: 60_000, pingMs: 5, longestMs: 50 });
    const listening = await Listening.open(port, '/');
    expect((await listening.take(3)).map(({ event }) => event)).toEqual(['problem', 'ping', 'ping']);
    await listening.ended();
    expect(feed.listeners).toBe(0);
  });
});
