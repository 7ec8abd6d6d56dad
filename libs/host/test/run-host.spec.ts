import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VERSION } from '@millrace/host';
import { TypeScriptChild } from '@millrace/testing';

/** The process of a command, at its end. */
interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-host-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function application(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = new TypeScriptChild(new URL('./fixtures/command.ts', import.meta.url), { args, env });
  let [out, error] = ['', ''];
  child.process.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.process.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
  const { code } = await child.ended;
  return { code, out, error };
}

describe('a host', () => {
  it('starts with the application that --app names, and tells everything in its process where it is', async () => {
    const file = application('good.mjs', 'export default class {}');
    const out = `${JSON.stringify({ file, MILLRACE_APP: file })}\n`;
    expect(await run(['--app', file])).toEqual({ code: 0, out, error: '' });
    expect(await run(['--app', relative(process.cwd(), file)], { MILLRACE_APP: 'other.js' })).toEqual({ code: 0, out, error: '' });
  }, 120_000);

  it('starts with the application that MILLRACE_APP names', async () => {
    const file = application('named.mjs', '');
    expect(await run([], { MILLRACE_APP: file })).toMatchObject({ code: 0, out: expect.stringContaining(file) });
  }, 120_000);

  it.each(['--help', '-h'])('shows its help for %s, also where an application is named', async (option) => {
    const { code, out, error } = await run([option, '--app', 'missing.js']);
    expect([code, error]).toEqual([0, '']);
    expect(out).toMatch(/^Usage: test-host --app <file>\n\nImports an application\.\n/);
    expect(out).toContain('  REDIS_URL=redis://127.0.0.1:6379 test-host --app dist/app.module.js\n');
  }, 120_000);

  it('shows its version', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, out: `${VERSION}\n`, error: '' });
  }, 120_000);

  it.each([
    ['an unknown option', ['--application', 'a.js'], "INVALID_OPTIONS: Unknown option '--application'. See test-host --help."],
    ['an argument', ['a.js'], "INVALID_OPTIONS: Unexpected argument 'a.js'"],
    ['an option without its value', ['--app'], "INVALID_OPTIONS: Option '--app <value>' argument missing. See test-host --help."],
    ['no application', [], 'INVALID_OPTIONS: No application is named.'],
    ['an application that is not there', ['--app', 'missing.js'], `INVALID_OPTIONS: --app names ${join(process.cwd(), 'missing.js')}, which is no file.`],
  ])('ends with code 1 and one sentence for %s', async (_what, args, message) => {
    const { code, out, error } = await run(args, { MILLRACE_APP: '' });
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(/^[^\n]+\n$/);
    expect(error).toContain(`Cannot start: ${message}`);
  }, 120_000);

  it('ends with code 1 and one sentence for a start that is refused', async () => {
    const file = application('refused.mjs', "export const refused = 'The application is too old. Build it again.';");
    expect(await run(['--app', file])).toEqual({ code: 1, out: '', error: 'Cannot start: INVALID_OPTIONS: The application is too old. Build it again.\n' });
  }, 120_000);

  it.each([
    ['awaits for ever at the top level of a module', 'await new Promise(() => {});'],
    ['has a step of its start that never settles', 'export const loaded = new Promise(() => {});'],
    ['never settles after work that ended', 'await new Promise((resolve) => setImmediate(resolve)); await new Promise(() => {});'],
  ])('ends with code 1, and says so, for an application that %s', async (what, text) => {
    const file = application(`${what.replaceAll(' ', '-')}.mjs`, text);
    const { code, out, error } = await run(['--app', file]);
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(/^Cannot start: INVALID_OPTIONS: [^\n]+\n$/);
    expect(error).toContain(`${file} never finished loading: it awaits something that cannot come any more`);
  }, 120_000);

  it('lets an application that has started end by itself with code 0', async () => {
    const file = application('short.mjs', 'setImmediate(() => {});');
    expect(await run(['--app', file])).toMatchObject({ code: 0, error: '' });
  }, 120_000);

  it.each([
    ['throws an error', "throw new TypeError('it is broken');", 'Cannot start: TypeError: it is broken\n    at '],
    ['throws something else', "throw 'no error';", 'Cannot start: '],
    ['cannot be read as JavaScript', 'export {', 'SyntaxError'],
    ['imports what is not there', "import 'millrace-missing';", "Cannot find package 'millrace-missing'"],
  ])('ends with code 1, and says where, for an application that %s', async (what, text, message) => {
    const file = application(`${what.replaceAll(' ', '-')}.mjs`, text);
    const { code, out, error } = await run(['--app', file]);
    expect([code, out]).toEqual([1, '']);
    expect(error).toContain(message);
    expect(error).toMatch(/^Cannot start: /);
  }, 120_000);
});
