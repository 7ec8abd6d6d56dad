import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { findDatabase } from '@millrace/outbox';
import { freePort, startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocksOf, examplesOf } from './documents.js';
import { StartedProgram } from './started-program.js';
import { pathOf, read } from './repository.js';

const LIBRARIES = readdirSync(pathOf('libs'));

const PROGRAMS = ['cli', 'server', 'worker'];

const TSC = 'node_modules/typescript/bin/tsc';

/** An application's folder with the packed libraries in it, and with what the repository has of other packages. */
let folder: string;
/** By the compiler, of the examples of the README. */
let said: string;

beforeAll(() => {
  execFileSync(process.execPath, [pathOf('tools/packages/main.js')], { stdio: 'ignore' });
  folder = newFolder([...LIBRARIES, ...PROGRAMS]);
  for (const { name, text } of blocksOf('README.md')) if (name !== null) writeFileSync(join(folder, name), text);
  said = run(TSC);
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true }));

/** A folder with these packages of Millrace, and with what the repository has of others. */
function newFolder(packages: readonly string[]): string {
  const made = mkdtempSync(join(tmpdir(), 'millrace-packages-'));
  mkdirSync(join(made, 'node_modules/@millrace'), { recursive: true });
  for (const name of readdirSync(pathOf('node_modules')).filter((each) => each !== '@millrace')) {
    symlinkSync(pathOf(`node_modules/${name}`), join(made, 'node_modules', name));
  }
  for (const name of packages) unpack(name, made);
  writeFileSync(join(made, 'package.json'), '{ "type": "module" }');
  return made;
}

function unpack(name: string, into: string): void {
  const target = join(into, 'node_modules/@millrace', name);
  mkdirSync(target);
  const archive = pathOf(`dist/packages/millrace-${name}-0.1.0.tgz`);
  execFileSync('tar', ['-xzf', archive, '--strip-components', '1', '-C', target]);
}

/** Where the compiler puts a file of the README. */
function compiled(name: string): string {
  return join(folder, 'dist', name.replace(/\.ts$/, '.js'));
}

/** The output of a command in the application's folder. */
function run(...command: string[]): string {
  try {
    return execFileSync(process.execPath, ['--preserve-symlinks', ...command], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
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
    expect(said).toBe('');
    expect([...examplesOf('README.md').keys()].filter((name) => !existsSync(compiled(name)))).toEqual([]);
    writeFileSync(join(folder, 'wrong.ts'), "import { Nothing } from '@millrace/nestjs';");
    expect(run(TSC)).toContain("has no exported member 'Nothing'");
    rmSync(join(folder, 'wrong.ts'));
  });

  it('run the shop of the README outside the repository, as it says', async () => {
    const [redis, database] = await Promise.all([startTestRedis(), findDatabase({ env: {} })]);
    const env = { ...process.env, REDIS_URL: redis.url, DATABASE_URL: database.url };
    const shop = spawn(process.execPath, ['--preserve-symlinks', '--preserve-symlinks-main', compiled('main.ts')], { cwd: folder, env });
    try {
      let output = '';
      for (const stream of [shop.stdout, shop.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const isSent = () => {
        expect(output).toContain('mail for A-1');
        return true;
      };
      await waitFor(isSent, { what: 'the mail', timeoutMs: 120_000 });
    } finally {
      shop.kill('SIGKILL');
      await once(shop, 'close');
      await database.stop();
      await redis.stop();
    }
  }, 180_000);

  it.each([...LIBRARIES.map((name) => `libs/${name}`), ...PROGRAMS.map((name) => `apps/${name}`)])('%s declares each package that it imports', (place) => {
    expect(undeclared(place)).toEqual([]);
  });
});

const APP = `
import { Module } from '@nestjs/common';
import { MillraceModule, Subscribe, Topic } from '@millrace/nestjs';

function decorated(target, decorators, name) {
  const descriptor = name && Object.getOwnPropertyDescriptor(target, name);
  for (const decorator of decorators) decorator(target, name, descriptor);
}
export class Hosted {}
decorated(Hosted, [Topic('hosted')]);
class Handlers {
  handle() { console.log('handled'); }
}
decorated(Handlers.prototype, [Subscribe(Hosted, { group: 'hosted' })], 'handle');
export class AppModule {}
decorated(AppModule, [Module({ imports: [MillraceModule.forRoot()], providers: [Handlers] })]);
`;

/** Publishes one message, without the handlers. */
const PUBLISH = `
import { NestFactory } from '@nestjs/core';
import { Publisher, withoutHandlers } from '@millrace/nestjs';
import { AppModule, Hosted } from './app.module.js';

const app = await NestFactory.createApplicationContext(withoutHandlers(AppModule), { logger: ['error'] });
await app.get(Publisher, { strict: false }).publish(Hosted, new Hosted());
await app.close();
`;

/** A bin, and the folder that it is installed in. */
interface Program {
  readonly from: string;
  readonly name: string;
  readonly port?: string;
}

describe('the programs', () => {
  let redis: TestRedis;
  let app: string;
  /** Packages installed elsewhere, with copies of Nest of their own, as by npm install -g. */
  let elsewhere: string;
  const started: StartedProgram[] = [];

  beforeAll(async () => {
    redis = await startTestRedis();
    app = newFolder([...LIBRARIES, ...PROGRAMS]);
    mkdirSync(join(app, 'dist'));
    writeFileSync(join(app, 'dist/app.module.js'), APP);
    writeFileSync(join(app, 'dist/publish.js'), PUBLISH);
    elsewhere = newFolder([...LIBRARIES, ...PROGRAMS]);
    rmSync(join(elsewhere, 'node_modules/@nestjs'));
    cpSync(pathOf('node_modules/@nestjs'), join(elsewhere, 'node_modules/@nestjs'), { recursive: true });
  }, 120_000);
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.kill()));
  });
  afterAll(async () => {
    await redis.stop();
    for (const made of [app, elsewhere]) rmSync(made, { recursive: true });
  });

  /** Starts a bin that is installed in `from`, in the folder of the application. */
  function start({ from, name, port = '0' }: Program, ...args: string[]): StartedProgram {
    const env = { ...process.env, REDIS_URL: redis.url, MILLRACE_PORT: port };
    const bin = join(from, 'node_modules/@millrace', name, 'src/main.js');
    const one = new StartedProgram(bin, args, { cwd: app, env });
    started.push(one);
    return one;
  }

  async function handlesAndStops(host: StartedProgram): Promise<void> {
    const publisher = new StartedProgram(join(app, 'dist/publish.js'), [], { cwd: app, env: { ...process.env, REDIS_URL: redis.url } });
    expect([await publisher.ended, publisher.output]).toEqual([0, '']);
    await host.says('handled');
    host.process.kill('SIGTERM');
    expect([await host.ended, host.output]).toEqual([0, expect.stringContaining('stopped')]);
  }

  it('run the handlers of an application outside the repository, with its packages, and end with code 0', async () => {
    await handlesAndStops(start({ from: app, name: 'worker' }, '--app', 'dist/app.module.js'));
  }, 300_000);

  it('run them from another folder that has a Nest of its own', async () => {
    await handlesAndStops(start({ from: elsewhere, name: 'worker' }, '--app', 'dist/app.module.js'));
  }, 300_000);

  it('run them as a command of the command line, installed beside the application or elsewhere', async () => {
    await handlesAndStops(start({ from: app, name: 'cli' }, 'worker', '--app', 'dist/app.module.js'));
    await handlesAndStops(start({ from: elsewhere, name: 'cli' }, 'worker', '--app', 'dist/app.module.js'));
  }, 300_000);

  it('list topics from the packed command line', async () => {
    const listed = start({ from: elsewhere, name: 'cli' }, 'topics', 'ls', '--redis', redis.url, '--json');
    expect([await listed.ended, JSON.parse(listed.output)]).toEqual([0, expect.objectContaining({ items: [expect.objectContaining({ name: 'hosted' })] })]);
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
    const failed = start({ from: app, name }, '--app', 'dist/missing.js');
    expect(await failed.ended).toBe(1);
    expect(failed.output).toMatch(/^Cannot start: INVALID_OPTIONS: --app names .*\/dist\/missing\.js, which is no file\..*\n$/);
  }, 300_000);

  it('refuse an application with another version of Millrace, and name both places', async () => {
    const manifest = join(app, 'node_modules/@millrace/nestjs/package.json');
    const text = readFileSync(manifest, 'utf8');
    try {
      writeFileSync(manifest, text.replace('"version": "0.1.0"', '"version": "0.2.0"'));
      const failed = start({ from: elsewhere, name: 'worker' }, '--app', 'dist/app.module.js');
      expect(await failed.ended).toBe(1);
      expect(failed.output).toMatch(/^Cannot start: INVALID_OPTIONS: The application has @millrace\/nestjs 0\.2\.0 at .*, and this host is 0\.1\.0 at .*\n$/);
      expect(failed.output).toContain(`${app}/node_modules/@millrace/nestjs/`);
      expect(failed.output).toContain(`${elsewhere}/node_modules/@millrace/host/`);
    } finally {
      writeFileSync(manifest, text);
    }
  }, 300_000);

  it.each(PROGRAMS)('have a help with an example, and a version: %s', async (name) => {
    const help = start({ from: app, name }, '--help');
    expect([await help.ended, help.output]).toEqual([0, expect.stringMatching(/\nExample:\n {2}(?:\S+ )?millrace/)]);
    const version = start({ from: app, name }, '--version');
    expect([await version.ended, version.output]).toEqual([0, '0.1.0\n']);
  }, 300_000);
});
