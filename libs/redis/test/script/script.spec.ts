import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadScript, refusedWhenFull } from '@millrace/redis';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-script-'));
  await writeFile(join(folder, 'hello.lua'), "#!lua\nreturn 'grüße'\n");
  await mkdir(join(folder, 'include'));
  await writeFile(join(folder, 'include/double.lua'), '-- Doubles.\n-- It is included.\n\n-- Twice as much.\nlocal function double(n)\n  return n * 2\nend\n');
  await writeFile(join(folder, 'four.lua'), '#!lua\n-- Returns 4.\n--!include include/double.lua\nreturn double(2)\n');
  await writeFile(join(folder, 'lost.lua'), '#!lua\n--!include include/none.lua\nreturn 1\n');
});

afterAll(() => rm(folder, { recursive: true }));

describe('loadScript', () => {
  const caller = (): string => pathToFileURL(join(folder, 'hello.js')).href;

  it('reads the file beside its caller, and knows it as Redis does', () => {
    const source = "#!lua\nreturn 'grüße'\n";
    expect(loadScript('./hello.lua', caller())).toEqual({ name: 'hello.lua', source, sha: createHash('sha1').update(source, 'utf8').digest('hex') });
  });

  it('puts in the included text, without its header', () => {
    const source = '#!lua\n-- Returns 4.\n-- Twice as much.\nlocal function double(n)\n  return n * 2\nend\nreturn double(2)\n';
    expect(loadScript('./four.lua', caller())).toEqual({ name: 'four.lua', source, sha: createHash('sha1').update(source, 'utf8').digest('hex') });
  });

  it('knows the same script as another one when a full Redis is to refuse it', async () => {
    await writeFile(join(folder, 'add.lua'), '#!lua flags=allow-oom\nreturn 1\n');
    const { name, source } = refusedWhenFull(loadScript('./add.lua', caller()));
    expect([name, source]).toEqual(['add.lua', '#!lua\nreturn 1\n']);
  });

  it.each(['./none.lua', './lost.lua'])('fails where there is none: %s', (file) => {
    expect(() => loadScript(file, caller())).toThrow(/ENOENT.*none\.lua/);
  });
});
