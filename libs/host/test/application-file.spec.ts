import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { applicationFile } from '@millrace/host';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-host-'));
  file = join(folder, 'app.module.js');
  mkdirSync(join(folder, 'dist'));
  writeFileSync(file, '');
  symlinkSync(file, join(folder, 'linked.js'));
  symlinkSync(join(folder, 'gone.js'), join(folder, 'broken-link.js'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the file of an application', () => {
  it('is the one of --app, and else that of MILLRACE_APP', () => {
    expect(applicationFile(file, {})).toBe(file);
    expect(applicationFile(undefined, { MILLRACE_APP: file })).toBe(file);
    expect(applicationFile(file, { MILLRACE_APP: join(folder, 'other.js') })).toBe(file);
  });

  it('is absolute: a relative path begins at the working directory', () => {
    expect(applicationFile(relative(process.cwd(), file), {})).toBe(file);
    expect(applicationFile(undefined, { MILLRACE_APP: ` ${relative(process.cwd(), file)} ` })).toBe(file);
  });

  it('keeps the name of a link to it', () => {
    expect(applicationFile(join(folder, 'linked.js'), {})).toBe(join(folder, 'linked.js'));
  });

  it.each([
    ['nothing at all', undefined, {}],
    ['an empty --app, though MILLRACE_APP is set', '', { MILLRACE_APP: 'app.module.js' }],
    ['an empty MILLRACE_APP', undefined, { MILLRACE_APP: ' ' }],
  ])('is asked for when it is named by %s', (_what, named, env) => {
    expect(() => applicationFile(named, env)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('Give --app dist/app.module.js, or set MILLRACE_APP') }),
    );
  });

  it.each(['dist', 'missing.js', 'broken-link.js', 'app.module.js/below.js'])('is refused, by its path and the name of what names it, when it is no file: %s', (name) => {
    const path = join(folder, name);
    const refused = (source: string) => ({ code: 'INVALID_OPTIONS', message: `${source} names ${path}, which is no file. Build the application first, or correct the path.` });
    expect(() => applicationFile(path, {})).toThrow(expect.objectContaining(refused('--app')));
    expect(() => applicationFile(undefined, { MILLRACE_APP: path })).toThrow(expect.objectContaining(refused('MILLRACE_APP')));
  });
});
