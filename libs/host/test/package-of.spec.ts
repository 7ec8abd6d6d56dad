import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { VERSION } from '@millrace/host';
import { TypeScriptChild } from '@millrace/testing';

let finder: TypeScriptChild;
let folder: string;
let app: string;
beforeAll(async () => {
  finder = new TypeScriptChild(new URL('./fixtures/finder.ts', import.meta.url));
  expect(await finder.line()).toBe('ready');
}, 120_000);
afterAll(() => finder.kill());
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-host-')));
  app = write('app/dist/app.module.js', '');
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** @returns the path of its main file */
function install(version: string, into = 'app/node_modules/@millrace/nestjs'): string {
  const exports = { '.': './src/index.js', './main': './src/main.js' };
  write(`${into}/package.json`, JSON.stringify({ name: '@millrace/nestjs', version, exports }));
  write(`${into}/src/main.js`, '');
  return write(`${into}/src/index.js`, '');
}

/** Asks `packageOf` in a process of its own, which answers `{ found }`, or the error. */
async function find(file: string, specifier = '@millrace/nestjs'): Promise<unknown> {
  finder.tell(JSON.stringify([file, specifier]));
  return JSON.parse(await finder.line());
}

describe('a package of an application', () => {
  it('is null when the application has none: that of the host is not looked at', async () => {
    expect(await find(app)).toEqual({ found: null });
  });

  it('is found from the folder of the application, with each of its exports', async () => {
    const main = install(VERSION);
    expect(await find(app)).toEqual({ found: main });
    expect(await find(app, '@millrace/nestjs/main')).toEqual({ found: join(dirname(main), 'main.js') });
  });

  it('is found in a folder above, as in a workspace', async () => {
    const main = install(VERSION, 'node_modules/@millrace/nestjs');
    expect(await find(app)).toEqual({ found: main });
  });

  it('is found from where the application is, when its path leads over a link', async () => {
    symlinkSync(join(folder, 'app'), join(folder, 'current'));
    const main = install(VERSION);
    expect(await find(join(folder, 'current/dist/app.module.js'))).toEqual({ found: main });
    symlinkSync(app, join(folder, 'alone.js'));
    expect(await find(join(folder, 'alone.js'))).toEqual({ found: main });
  });

  it('is found where a link in node_modules leads', async () => {
    const main = install(VERSION, 'store/nestjs');
    mkdirSync(join(folder, 'app/node_modules/@millrace'), { recursive: true });
    symlinkSync('../../../store/nestjs', join(folder, 'app/node_modules/@millrace/nestjs'));
    expect(await find(app)).toEqual({ found: main });
  });

  it('is null when it does not export what is asked for', async () => {
    install(VERSION);
    expect(await find(app, '@millrace/nestjs/other')).toEqual({ found: null });
  });

  it('is null when its files are not there, as in a repository that is not built', async () => {
    rmSync(install(VERSION));
    expect(await find(app)).toEqual({ found: null });
  });

  it.each(['0.1.0', '0.1.7', '0.1.1-beta.2'])('fits a host of its series: %s', async (version) => {
    const main = install(version);
    expect(await find(app)).toEqual({ found: main });
  });

  it.each(['0.2.0', '0.10.0', '1.1.0'])('is refused when it is of another series: %s', async (version) => {
    const main = install(version);
    const message = expect.stringMatching(/^The application has .* and this host is .* at .*host\/src: they do not fit\. Install the same version/);
    expect(await find(app)).toEqual({ code: 'INVALID_OPTIONS', message });
    expect(await find(app)).toMatchObject({ message: expect.stringContaining(`@millrace/nestjs ${version} at ${main}, and this host is ${VERSION} at `) });
  });

  it.each([
    ['of the package', 'app/node_modules/@millrace/nestjs/package.json'],
    ['between the package and its file', 'app/node_modules/@millrace/nestjs/src/package.json'],
  ])('is refused, by the path, when a package.json %s is broken', async (_where, name) => {
    install(VERSION);
    const broken = write(name, '{ "name": ');
    const message = expect.stringMatching(/cannot be .*Install the packages of the application again\.$/);
    expect(await find(app)).toEqual({ code: 'INVALID_OPTIONS', message });
    expect(await find(app)).toMatchObject({ message: expect.stringContaining(broken) });
  });
});

it('the version of a host is that of its package', () => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  expect(JSON.parse(manifest)).toMatchObject({ version: VERSION });
});
