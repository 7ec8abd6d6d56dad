import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type CallContext, type CallOptions, DeadLetters, type DeliveryContext, fixed, fsynced, Groups, Inspector, Job, JobHandler,
  JobQueue, MillraceModule, OnDeadLetter, Publisher, replicated, RpcContract, RpcService, ServiceInstances, Subscribe,
  SubscribeBatch, SubscribeBroadcast, Topic, Topics,
} from '@millrace/nestjs';
import { connectServer, type ServerFacts, type StandaloneTopology } from '@millrace/redis';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { IsString } from 'class-validator';
import { atOnce } from './fixture.js';

const PASSWORD = 'of-the-user';
const rootOf = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const PAGE = readFileSync(rootOf('docs/guides/redis-acl.md'), 'utf8');

/** The lines that the page lists, each as the arguments of a command. */
const LINES = linesOf(PAGE);
const LISTED = commandsIn(LINES);
/** Those under "For topics:". */
const LISTED_FOR_TOPICS = commandsIn(linesOf(PAGE.split('For topics:')[1]!.split('For queues')[0]!));

@Topic<Visit>('acl.visits', { partitions: 2, key: ({ name }) => name, retention: { maxAge: '1d', maxMessages: 1_000, maxBytes: 10_000_000 } })
class Visit {
  @IsString() name!: string;
}

@Job('acl-greet', { queue: 'acl-greetings', attempts: 2, backoff: fixed('1ms') })
class Greet {
  @IsString() name!: string;
}

@RpcContract<DeskApi>('acl-desk', {
  book: { input: Visit, output: Visit, idempotent: true },
  ring: { input: Visit, oneWay: true },
  queue: { input: Visit, items: Visit, window: 2 },
})
abstract class DeskApi {
  abstract book(visit: Visit, options?: CallOptions): Promise<Visit>;
  abstract ring(visit: Visit): Promise<void>;
  abstract queue(visit: Visit): AsyncIterable<Visit>;
}

@RpcService(DeskApi)
class Desk {
  readonly rings: string[] = [];

  async book(visit: Visit, { signal }: CallContext): Promise<Visit> {
    if (visit.name === 'slow') await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return visit;
  }

  async *queue({ name }: Visit): AsyncGenerator<Visit> {
    for (let turn = 0; turn < 20; turn += 1) yield { name: `${name} ${turn}` };
  }

  ring({ name }: Visit): Promise<void> {
    this.rings.push(name);
    return Promise.resolve();
  }
}

/** Counts calls of handlers by their method and the name in the payload. */
@Injectable()
class Handlers {
  readonly calls: string[] = [];
  isIll = true;

  @Subscribe(Visit, { group: 'desk', retry: atOnce, rateLimit: { messages: 1_000, per: '1s' } })
  welcome({ name }: Visit, { attempt, replayed }: DeliveryContext): void {
    this.calls.push(`welcome ${name}${replayed ? ' again' : ''}`);
    if ((name === 'late' && attempt < 3) || (name === 'poison' && this.isIll)) throw new Error('ill');
  }

  @OnDeadLetter(Visit, { group: 'desk' })
  gaveUp({ name }: Visit): void {
    this.calls.push(`gave up ${name}`);
  }

  @SubscribeBatch(Visit, { group: 'index', batch: { size: 10, wait: '5ms' } })
  index(visits: Visit[]): void {
    this.calls.push(...visits.map(({ name }) => `index ${name}`));
  }

  @SubscribeBroadcast(Visit)
  forget({ name }: Visit): void {
    this.calls.push(`forget ${name}`);
  }

  @JobHandler(Greet)
  greet({ name }: Greet): void {
    this.calls.push(`greet ${name}`);
    if (name === 'poison' || (name === 'late' && this.count('greet late') < 2)) throw new Error('ill');
  }

  count(call: string): number {
    return this.calls.filter((each) => each === call).length;
  }

  async had(call: string, times = 1): Promise<void> {
    await waitFor(() => this.count(call) >= times, { what: `${call}, ${times} times` });
  }
}

let redis: TestRedis;
let admin: StandaloneTopology;

beforeAll(async () => {
  redis = await startTestRedis({ appendonly: 'always' });
  admin = await connectServer({ url: redis.url });
  for (const [command = '', ...args] of LINES.filter((line) => !line.includes('+waitaof') || admin.server.capabilities.has('waitaof'))) {
    await admin.control.call(command, ...args.map((word) => (word === '>PASSWORD' ? `>${PASSWORD}` : word)));
  }
});
afterAll(async () => {
  admin.close();
  await redis.stop();
});

async function start(): Promise<INestApplicationContext> {
  const parts = { port: redis.port, username: 'millrace', password: PASSWORD };
  const imports = [MillraceModule.forRoot({ redis: parts, lease: '500ms' }), MillraceModule.forFeature([Visit, Greet, DeskApi])];
  const providers = [Handlers, Desk];
  return NestFactory.createApplicationContext({ module: class AppModule {}, imports, providers }, { logger: false });
}

function linesOf(text: string): string[][] {
  const blocks = [...text.matchAll(/```text\n([^]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
  return blocks.map((line) => line.split(' '));
}

function commandsIn(lines: readonly string[][]): string[] {
  return lines.flat().filter((word) => word.startsWith('+')).map((word) => word.slice(1));
}

/** The texts of all files of a folder that end so. */
function textOf(folder: string, end: string): string {
  const all = readdirSync(rootOf(folder), { recursive: true, encoding: 'utf8' });
  // Servers of our own, for tests and demos, are administered by whoever starts them.
  const names = all.filter((name) => name.endsWith(end) && !name.startsWith('server/'));
  return names.map((name) => readFileSync(rootOf(`${folder}/${name}`), 'utf8')).join('\n');
}

/** The commands that the scripts of a folder call, with the subcommand where there is one. */
function commandsOfScripts(folder: string): string[] {
  const calls = textOf(folder, '.lua').matchAll(/(?:rcall|redis\.p?call)\(\s*['"]([A-Za-z_]+)['"](?:, *['"]([A-Z]+)['"])?/g);
  return [...calls].map(commandOf);
}

/** The words in the code of a library that Redis knows as commands, with the subcommand where there is one. */
async function commandsOfCode(library: string): Promise<string[]> {
  const known = (await admin.control.call('COMMAND', 'LIST')) as string[];
  const words = [...textOf(`libs/${library}/src`, '.ts').matchAll(/'([A-Z][A-Z_]+)'(?:, *'([A-Z]+)')?/g)].map(commandOf);
  return words.filter((word) => known.includes(word.split('|')[0]!));
}

const PARENTS = ['XGROUP', 'XINFO', 'MEMORY', 'CLIENT', 'CLUSTER', 'CONFIG', 'PUBSUB'];

function commandOf([, word = '', next]: RegExpMatchArray): string {
  return (next && PARENTS.includes(word) ? `${word}|${next}` : word).toLowerCase();
}

/** Those that are not listed, neither as a whole nor, where the subcommand cannot be seen, with any. */
function missing(commands: readonly string[]): string[] {
  return [...new Set(commands)].filter((command) => !LISTED.some((each) => each === command || each.startsWith(`${command}|`)));
}

describe('a user with the access rules that docs/guides/redis-acl.md lists', () => {
  it('publishes, subscribes, retries, redrives, seeks, removes, inspects, works on queues, calls and serves, and Redis denies nothing', async () => {
    const app = await start();
    const handlers = app.get(Handlers);
    const publisher = app.get(Publisher);

    await publisher.publishMany(Visit, ['a', 'late', 'poison'].map((name) => ({ payload: { name }, idempotencyKey: name })));
    expect(await publisher.publish(Visit, { name: 'a' }, { idempotencyKey: 'a' })).toMatchObject({ duplicate: true });
    await publisher.publish(Visit, { name: 'delayed' }, { delay: '10ms', ttl: '1h' });
    await publisher.publish(Visit, { name: 'on the disk' }, { durability: fsynced() });
    const replicatedOnce = publisher.publish(Visit, { name: 'on a replica' }, { durability: replicated(1, '10ms') });
    await expect(replicatedOnce).rejects.toMatchObject({ code: 'PUBLISH_INDEFINITE' });
    for (const name of ['a', 'delayed', 'on the disk']) {
      for (const did of ['welcome', 'index', 'forget']) await handlers.had(`${did} ${name}`);
    }
    await handlers.had('welcome late', 3);
    await handlers.had('gave up poison');

    const letters = app.get(DeadLetters);
    expect(await letters.list(Visit, 'desk')).toHaveLength(1);
    handlers.isIll = false;
    expect(await letters.redrive(Visit, 'desk', { all: true })).toMatchObject({ redriven: 1 });
    await handlers.had('welcome poison', 4);
    expect(await letters.discard(Visit, 'desk', { all: true })).toMatchObject({ discarded: 0 });

    const groups = app.get(Groups);
    await groups.pause(Visit, 'desk');
    await groups.seek(Visit, 'desk', { to: new Date(0), preview: true });
    await groups.seek(Visit, 'desk', { to: 'earliest' });
    await groups.resume(Visit, 'desk');
    await handlers.had('welcome a again');
    const idle = async (): Promise<boolean> => (await app.get(Inspector).group(Visit, 'desk')).lag === 0;
    await waitFor(idle, { what: 'nothing to be left' });

    const jobs = app.get(JobQueue);
    await jobs.enqueueMany(Greet, ['a', 'late', 'poison'].map((name) => ({ payload: { name } })));
    await jobs.enqueue(Greet, { name: 'delayed' }, { delay: '10ms', idempotencyKey: 'k' });
    expect(await jobs.enqueue(Greet, { name: 'delayed' }, { delay: '10ms', idempotencyKey: 'k' })).toMatchObject({ duplicate: true });
    for (const name of ['a', 'delayed']) await handlers.had(`greet ${name}`);
    for (const name of ['late', 'poison']) await handlers.had(`greet ${name}`, 2);
    await waitFor(async () => (await jobs.counts('acl-greetings')).failed === 1, { what: 'the failed job' });

    const desk = app.get<DeskApi>(DeskApi);
    for (const requestId of ['a', 'a']) expect(await desk.book({ name: 'a' }, { requestId })).toEqual({ name: 'a' });
    await expect(desk.book({ name: 'slow' }, { timeout: '50ms' })).rejects.toMatchObject({ code: 'CALL_TIMEOUT' });
    await desk.ring({ name: 'b' });
    await waitFor(() => app.get(Desk).rings.length === 1, { what: 'the ring' });
    const queued: string[] = [];
    for await (const { name } of desk.queue({ name: 'c' })) queued.push(name);
    expect(queued).toHaveLength(20);
    expect(await app.get(ServiceInstances).list()).toMatchObject([{ service: 'acl-desk' }]);

    await app.get(Groups).remove(Visit, 'index', { force: true });
    await app.get(Topics).remove(Visit, { force: true });
    await expect(publisher.publish(Visit, { name: 'b' })).rejects.toMatchObject({ code: 'REMOVED' });

    await app.close();
    expect(await admin.control.call('ACL', 'LOG')).toEqual([]);
  });

  it('knows the same of the server where COMMAND is left out', async () => {
    const factsOf = async (user: string): Promise<ServerFacts> => {
      const own = await connectServer({ url: `redis://${user}:${PASSWORD}@127.0.0.1:${redis.port}` });
      own.close();
      return own.server;
    };
    await admin.control.call('ACL', 'SETUSER', 'reticent', 'on', `>${PASSWORD}`, '+info', '+ping', '+client|setname');
    expect(await factsOf('reticent')).toEqual(await factsOf('millrace'));
  });

  it.each([
    'FLUSHALL', 'KEYS *', 'SCAN 0', 'CONFIG SET maxmemory 1', 'ACL LIST', 'SHUTDOWN', 'GET another', 'SET millraces x', 'SPUBLISH another x',
  ])('may not run %s', async (line) => {
    const [command = '', ...args] = line.split(' ');
    const own = await connectServer({ url: `redis://millrace:${PASSWORD}@127.0.0.1:${redis.port}` });
    await expect(own.control.call(command, ...args)).rejects.toMatchObject({ kind: 'fatal', message: expect.stringContaining('NOPERM') });
    own.close();
  });

  it.each(['libs/streams/src/scripts', 'node_modules/bullmq/dist/esm/commands'])('may run all that the scripts in %s call', (folder) => {
    expect(commandsOfScripts(folder).length).toBeGreaterThan(50);
    expect(missing(commandsOfScripts(folder))).toEqual([]);
  });

  it('is given for topics only what they call for', async () => {
    const called = [...commandsOfScripts('libs/streams/src/scripts'), ...(await commandsOfCode('streams')), ...(await commandsOfCode('redis'))];
    expect(LISTED_FOR_TOPICS.filter((command) => !called.includes(command))).toEqual([]);
  });

  // The search for queues needs SCAN, which the guide gives to operators alone.
  it.each<[string, string[]]>([['redis', []], ['streams', []], ['jobs', ['scan']]])('may run all that the code of %s names, but for %j', async (library, rest) => {
    expect(missing(await commandsOfCode(library))).toEqual(rest);
  });
});
