import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadScript } from '@millrace/redis';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-script-'));
  await writeFile(join(folder, 'hello.lua'), "#!lua\nreturn 'grüße'\n");
});

afterAll(() => rm(folder, { recursive: true }));

describe('loadScript', () => {
  const caller = (): string => pathToFileURL(join(folder, 'hello.js')).href;

  it('reads the file beside its caller, and knows it as Redis does', () => {
    const source = "#!lua\nreturn 'grüße'\n";
    expect(loadScript('./hello.lua', caller())).toEqual({ name: 'hello.lua', source, sha: createHash('sha1').update(source, 'utf8').digest('hex') });
  });

  it('fails where there is none', () => {
    expect(() => loadScript('./none.lua', caller())).toThrow(/ENOENT.*none\.lua/);
  });
});
