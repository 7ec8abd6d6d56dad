import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findDatabase } from '@millrace/outbox';
import { startTestRedis, waitFor } from '@millrace/testing';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocksOf, examplesOf } from './documents.js';
import { pathOf, read } from './repository.js';

const LIBRARIES = readdirSync(pathOf('libs'));

const TSC = 'node_modules/typescript/bin/tsc';

/** An application's folder with the packed libraries in it, and with what the repository has of other packages. */
let folder: string;
/** By the compiler, of the examples of the README. */
let said: string;

beforeAll(() => {
  execFileSync(process.execPath, [pathOf('tools/packages/main.js')], { stdio: 'ignore' });
  folder = mkdtempSync(join(tmpdir(), 'millrace-packages-'));
  mkdirSync(join(folder, 'node_modules/@millrace'), { recursive: true });
  for (const name of readdirSync(pathOf('node_modules')).filter((each) => each !== '@millrace')) {
    symlinkSync(pathOf(`node_modules/${name}`), join(folder, 'node_modules', name));
  }
  for (const library of LIBRARIES) unpack(library);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const { name, text } of blocksOf('README.md')) if (name !== null) writeFileSync(join(folder, name), text);
  said = run(TSC);
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true }));

function unpack(library: string): void {
  const target = join(folder, 'node_modules/@millrace', library);
  mkdirSync(target);
  const archive = pathOf(`dist/packages/millrace-${library}-0.1.0.tgz`);
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

/** The packages that a library's sources import, and not those that it has declared. */
function undeclared(library: string): string[] {
  const sources = readdirSync(pathOf(`libs/${library}/src`), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const imports = sources.flatMap((name) => [...read(`libs/${library}/src/${name}`).matchAll(/^(?:import|.* from) '([@a-z][^']*)';$/gm)]);
  const packages = imports.map(([, specifier = '']) => /^(@[^/]+\/)?[^/]+/.exec(specifier)![0]).filter((name) => !name.startsWith('node:'));
  const { dependencies, peerDependencies } = JSON.parse(read(`libs/${library}/package.json`)) as Record<string, object | undefined>;
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

  it.each(LIBRARIES)('%s declares each package that it imports', (library) => {
    expect(undeclared(library)).toEqual([]);
  });
});
