import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examples } from './examples.js';
import { pathOf, read } from './repository.js';

const LIBRARIES = readdirSync(pathOf('libs'));
const COMPILER = ['--module', 'nodenext', '--target', 'es2022', '--strict', '--experimentalDecorators', '--emitDecoratorMetadata', '--skipLibCheck', '--types', 'node'];

/** An application's folder with the packed libraries in it, and with what the repository has of other packages. */
let folder: string;

beforeAll(() => {
  execFileSync(process.execPath, [pathOf('tools/packages/main.js')], { stdio: 'ignore' });
  folder = mkdtempSync(join(tmpdir(), 'millrace-packages-'));
  mkdirSync(join(folder, 'node_modules/@millrace'), { recursive: true });
  for (const name of readdirSync(pathOf('node_modules')).filter((each) => each !== '@millrace')) {
    symlinkSync(pathOf(`node_modules/${name}`), join(folder, 'node_modules', name));
  }
  for (const library of LIBRARIES) unpack(library);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true }));

function unpack(library: string): void {
  const target = join(folder, 'node_modules/@millrace', library);
  mkdirSync(target);
  const archive = pathOf(`dist/packages/millrace-${library}-0.1.0.tgz`);
  execFileSync('tar', ['-xzf', archive, '--strip-components', '1', '-C', target]);
}

/** What a command in the application's folder prints. */
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
    const files = examples();
    for (const [name, code] of files) writeFileSync(join(folder, name), code);
    const tsc = ['node_modules/typescript/bin/tsc', '--noEmit', ...COMPILER];
    expect(run(...tsc, ...files.keys())).toBe('');
    writeFileSync(join(folder, 'wrong.ts'), "import { Nothing } from '@millrace/nestjs';");
    expect(run(...tsc, 'wrong.ts')).toContain("has no exported member 'Nothing'");
  });

  it.each(LIBRARIES)('%s declares each package that it imports', (library) => {
    expect(undeclared(library)).toEqual([]);
  });
});
