import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseDemoOptions } from '../src/demo/options.js';
import { runDemo } from '../src/demo/run-demo.js';
import type { TextSink } from '../src/demo/terminal.js';
import { TemporaryFolder } from './temporary-folder.js';

interface Refusal {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const OWN = { ...process.env };
const folder = new TemporaryFolder();
beforeAll(() => folder.make());
afterEach(() => void (process.env = { ...OWN }));
afterAll(() => folder.remove());

async function run(line: string, env: NodeJS.ProcessEnv = {}): Promise<Refusal> {
  const { REDIS_URL: _redis, DATABASE_URL: _database, ...inherited } = OWN;
  process.env = { ...inherited, ...env };
  const written = { out: '', err: '' };
  const sink = (name: keyof typeof written): TextSink => ({ write: (text) => (written[name] += text) });
  const streams = { out: sink('out'), err: sink('err') };
  const code = await runDemo(parseDemoOptions(`${line} --json`.split(' ')), streams, new AbortController().signal);
  return { code, ...written };
}

describe('the demo refuses', () => {
  test.each([
    ['more poison than orders', '--generate 5 --poison 6', {}, 2, '--poison 6 asks for more orders than there are: the input has 5'],
    ['a folder that is not there', '--orders /nowhere/at/all', {}, 1, 'ENOENT'],
    ['a Redis that does not answer', '--generate 5', { REDIS_URL: 'redis://127.0.0.1:1' }, 1, '127.0.0.1:1'],
    ['a database that does not answer', '--generate 5', { DATABASE_URL: 'postgres://x:secret@127.0.0.1:1/x' }, 1, '127.0.0.1:1/x'],
    ['servers of its own beside a Redis of REDIS_URL', '--topology cluster', { REDIS_URL: 'redis://127.0.0.1:1' }, 2, 'unset REDIS_URL'],
    ['several servers where there is none', '--topology sentinel', { PATH: '/nowhere' }, 1, 'no redis-server or valkey-server on the PATH'],
    ['an unknown variable', '--generate 5', { MILLRACE_LEESE: '3s' }, 2, 'MILLRACE_LEASE'],
  ])('%s', async (_, line, env, exitCode, message) => {
    const { code, out, err } = await run(line, env);
    expect(err).toContain(message);
    expect(err).not.toContain('secret');
    expect({ code, out }).toEqual({ code: exitCode, out: '' });
  });

  test('a FIFO that nobody writes to, by its name', async () => {
    const fifo = join(folder.path, 'orders.csv');
    execFileSync('mkfifo', [fifo]);
    const { code, out, err } = await run(`--orders ${fifo}`);
    expect(err).toContain(`${fifo} is a FIFO`);
    expect({ code, out }).toEqual({ code: 1, out: '' });
  });
});
