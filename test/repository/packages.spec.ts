import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { findDatabase } from '@millrace/outbox';
import { freePort, startTestRedis, type TestRedis } from '@millrace/testing';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { CONSUMER_MS, makeArchives } from './archives.js';
import { Consumer, copyTree, LIBRARIES, PROGRAMS } from './consumer.js';
import { blocksOf, examplesOf } from './documents.js';
import { APP, PUBLISH } from './hosted-application.js';
import { StartedProgram } from './started-program.js';
import { pathOf, read } from './repository.js';

const TSC = 'node_modules/typescript/bin/tsc';

/** An application with its own HTTP, which it serves beside the API of Millrace. */
const OWN_SERVER = `
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MillraceModule } from '@millrace/nestjs';
import { MillraceServerModule, type MillraceServerOptions } from '@millrace/server';
import { OrderPlaced } from './contracts.js';

const options: MillraceServerOptions = { token: process.env.ADMIN_TOKEN };

@Module({ imports: [MillraceModule.forRoot(), MillraceModule.forFeature([OrderPlaced]), MillraceServerModule.forRoot(options)] })
class AppModule {}

const app = await (process.argv[2] === 'fastify' ? NestFactory.create(AppModule, new FastifyAdapter()) : NestFactory.create(AppModule));
app.enableShutdownHooks();
await app.listen(process.env.PORT!, '127.0.0.1');
console.log('it listens');
`;

/** An application that is made of the examples of the README, with {@link OWN_SERVER}. */
let consumer: Consumer;
/** By the compiler. */
let said: string;

beforeAll(async () => {
  await makeArchives();
  consumer = Consumer.linked();
  for (const { name, text } of blocksOf('README.md')) if (name !== null) consumer.write(name, text);
  consumer.write('own-server.ts', OWN_SERVER);
  consumer.write('wrong.ts', "import { Nothing } from '@millrace/nestjs';");
  said = run(TSC);
}, CONSUMER_MS);

afterAll(() => consumer.remove());

/** Where the compiler puts a file of the README. */
function compiled(name: string): string {
  return consumer.pathOf(`dist/${name.replace(/\.ts$/, '.js')}`);
}

/** The output of a command in the application's folder. */
function run(...command: string[]): string {
  try {
    return execFileSync(process.execPath, ['--preserve-symlinks', ...command], { cwd: consumer.folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return stdout + stderr;
  }
}

/** The packages that the sources of a package import, and not those that it has declared. */
function undeclared(place: string): string[] {
  const sources = readdirSync(pathOf(`${place}/src`), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const imports = sources.flatMap((name) => [...read(`${place}/src/${name}`).matchAll(/^(?:import|.* from) '([@a-z][^']*)';$/gm)]);
  const packages = imports.map(([, specifier = '']) => /^(@[^/]+\/)?[^/]+/.exec(specifier)![0]).filter((name) => !name.startsWith('node:'));
  const { dependencies, peerDependencies } = JSON.parse(read(`${place}/package.json`)) as Record<string, object | undefined>;
  const known = [...Object.keys({ ...dependencies, ...peerDependencies }), ...builtinModules];
  return [...new Set(packages)].filter((name) => !known.includes(name));
}

describe('the packages', () => {
  it('can be imported by an application outside the repository', () => {
    const script = LIBRARIES.map((library) => `console.log('${library}', Object.keys(await import('@millrace/${library}')).length > 0);`);
    expect(run('--input-type=module', '-e', script.join('\n'))).toBe(LIBRARIES.map((library) => `${library} true\n`).join(''));
  });

  it('have the types that the examples of the README need', () => {
    expect(said.trim().split('\n')).toEqual([expect.stringMatching(/^wrong\.ts.* has no exported member 'Nothing'/)]);
    expect([...examplesOf('README.md').keys()].filter((name) => !existsSync(compiled(name)))).toEqual([]);
  });

  it('run the shop of the README outside the repository, as it says', async () => {
    const [redis, database] = await Promise.all([startTestRedis(), findDatabase({ env: {} })]);
    const env = { ...process.env, REDIS_URL: redis.url, DATABASE_URL: database.url };
    const shop = new StartedProgram('--preserve-symlinks', ['--preserve-symlinks-main', compiled('main.ts')], { cwd: consumer.folder, env });
    try {
      await shop.says('mail for A-1');
    } finally {
      await shop.kill();
      await database.stop();
      await redis.stop();
    }
  }, 300_000);

  it.each([...LIBRARIES.map((name) => `libs/${name}`), ...PROGRAMS.map((name) => `apps/${name}`)])('%s declares each package that it imports', (place) => {
    expect(undeclared(place)).toEqual([]);
  });
});

/** A bin, and where it is installed. */
interface Program {
  readonly from: Consumer;
  readonly name: string;
  readonly port?: string;
}

describe('the programs', () => {
  let redis: TestRedis;
  /** Packages installed elsewhere, with copies of Nest of their own, as by npm install -g. */
  let elsewhere: Consumer;
  const started: StartedProgram[] = [];

  beforeAll(async () => {
    redis = await startTestRedis();
    consumer.write('dist/app.module.js', APP);
    consumer.write('dist/publish.js', PUBLISH);
    elsewhere = Consumer.linked();
    rmSync(join(elsewhere.modules, '@nestjs'));
    copyTree(pathOf('node_modules/@nestjs'), join(elsewhere.modules, '@nestjs'));
  }, CONSUMER_MS);
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.kill()));
  });
  afterAll(async () => {
    await redis.stop();
    elsewhere.remove();
  });

  /** Starts a file of JavaScript in the folder of the application. */
  function program(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): StartedProgram {
    const one = new StartedProgram(file, args, { cwd: consumer.folder, env: { ...process.env, REDIS_URL: redis.url, ...env } });
    started.push(one);
    return one;
  }

  /** Starts a bin that is installed in `from`. */
  function start({ from, name, port = '0' }: Program, ...args: string[]): StartedProgram {
    return program(join(from.modules, '@millrace', name, 'src/main.js'), args, { MILLRACE_PORT: port });
  }

  async function handlesAndStops(host: StartedProgram): Promise<void> {
    const publisher = program(consumer.pathOf('dist/publish.js'), []);
    expect([await publisher.ended, publisher.output]).toEqual([0, '']);
    await host.says('handled');
    host.process.kill('SIGTERM');
    expect([await host.ended, host.output]).toEqual([0, expect.stringContaining('stopped')]);
  }

  it('run the handlers of an application outside the repository, with its packages, and end with code 0', async () => {
    await handlesAndStops(start({ from: consumer, name: 'worker' }, '--app', 'dist/app.module.js'));
  }, 300_000);

  it('run them from another folder that has a Nest of its own', async () => {
    await handlesAndStops(start({ from: elsewhere, name: 'worker' }, '--app', 'dist/app.module.js'));
  }, 300_000);

  it('run them as a command of the command line, installed beside the application or elsewhere', async () => {
    await handlesAndStops(start({ from: consumer, name: 'cli' }, 'worker', '--app', 'dist/app.module.js'));
    await handlesAndStops(start({ from: elsewhere, name: 'cli' }, 'worker', '--app', 'dist/app.module.js'));
  }, 300_000);

  it('list topics from the packed command line', async () => {
    const listed = start({ from: elsewhere, name: 'cli' }, 'topics', 'ls', '--redis', redis.url, '--json');
    expect([await listed.ended, JSON.parse(listed.output)]).toEqual([0, expect.objectContaining({ items: [expect.objectContaining({ name: 'hosted' })] })]);
  }, 300_000);

  it.each(['express', 'fastify'])('serve HTTP inside an application of its own on %s, whose clients must have the token', async (adapter) => {
    const [port, token] = [String(await freePort()), 'a'.repeat(32)];
    const own = program(compiled('own-server.ts'), [adapter], { PORT: port, ADMIN_TOKEN: token, MILLRACE_PREFIX: adapter });
    await own.says('it listens');
    const ask = (path: string, options: RequestInit = {}) => fetch(`http://127.0.0.1:${port}/millrace/api/v1${path}`, options);
    expect((await ask('/health/ready')).status).toBe(200);
    expect((await ask('/topics')).status).toBe(401);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ orderId: 'A-1', customerId: 'C-7', item: 'tea', quantity: 2 });
    expect((await ask('/topics/shop.orders.placed/messages', { method: 'POST', headers, body })).status).toBe(201);
    const topics = await ask('/topics', { headers });
    expect([topics.status, await topics.json()]).toEqual([200, expect.objectContaining({ items: [expect.objectContaining({ name: 'shop.orders.placed', messages: 1 })] })]);
    own.process.kill('SIGTERM');
    await own.ended;
  }, 300_000);

  it.each(['server', 'cli'])('serve HTTP beside the application, started by the %s from another folder', async (name) => {
    const port = String(await freePort());
    const server = start({ from: elsewhere, name, port }, ...(name === 'cli' ? ['server'] : []), '--app', 'dist/app.module.js');
    await server.says('listening on');
    const topics = await fetch(`http://127.0.0.1:${port}/millrace/api/v1/topics`);
    expect([topics.status, await topics.json()]).toEqual([200, expect.objectContaining({ items: [expect.objectContaining({ name: 'hosted' })] })]);
    server.process.kill('SIGTERM');
    expect([await server.ended, server.output]).toEqual([0, expect.stringContaining('listening on')]);
  }, 300_000);

  it.each(['worker', 'server'])('say in one sentence that the application of the %s is not there', async (name) => {
    const failed = start({ from: consumer, name }, '--app', 'dist/missing.js');
    expect(await failed.ended).toBe(1);
    expect(failed.output).toMatch(/^Cannot start: INVALID_OPTIONS: --app names .*\/dist\/missing\.js, which is no file\..*\n$/);
  }, 300_000);

  it('refuse an application with another version of Millrace, and name both places', async () => {
    const manifest = join(consumer.modules, '@millrace/nestjs/package.json');
    const text = readFileSync(manifest, 'utf8');
    try {
      writeFileSync(manifest, text.replace('"version": "0.1.0"', '"version": "0.2.0"'));
      const failed = start({ from: elsewhere, name: 'worker' }, '--app', 'dist/app.module.js');
      expect(await failed.ended).toBe(1);
      expect(failed.output).toMatch(/^Cannot start: INVALID_OPTIONS: The application has @millrace\/nestjs 0\.2\.0 at .*, and this host is 0\.1\.0 at .*\n$/);
      expect(failed.output).toContain(`${consumer.folder}/node_modules/@millrace/nestjs/`);
      expect(failed.output).toContain(`${elsewhere.folder}/node_modules/@millrace/host/`);
    } finally {
      writeFileSync(manifest, text);
    }
  }, 300_000);

  it.each(PROGRAMS)('have a help with an example, and a version: %s', async (name) => {
    const help = start({ from: consumer, name }, '--help');
    expect([await help.ended, help.output]).toEqual([0, expect.stringMatching(/\nExample:\n {2}(?:\S+ )?millrace/)]);
    const version = start({ from: consumer, name }, '--version');
    expect([await version.ended, version.output]).toEqual([0, '0.1.0\n']);
  }, 300_000);
});
