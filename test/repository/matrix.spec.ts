import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findOnPath } from '@millrace/redis';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failures, isGood, resultOf, table } from '../../tools/matrix/report.js';
import { serversIn } from '../../tools/matrix/servers.js';
import { pathOf } from './repository.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-servers-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The matrix as it is called, with no server that it could run. */
function matrix(args: readonly string[], servers?: string): { status: number | null; stderr: string } {
  const { MILLRACE_SERVERS: _, ...env } = process.env;
  const given = servers === undefined ? env : { ...env, MILLRACE_SERVERS: servers };
  const { status, stderr } = spawnSync(process.execPath, [pathOf('tools/matrix/main.js'), ...args], { encoding: 'utf8', env: given });
  return { status, stderr };
}

describe('npm run test:matrix', () => {
  it.each([
    { what: 'nothing is given', args: [], says: 'There is no folder of servers.' },
    { what: 'the folder is not there', args: ['--servers', '/not/there'], says: 'The folder of servers cannot be read' },
    { what: 'the folder has no server', args: ['--servers', '.'], says: 'There is no Redis or Valkey server in' },
  ])('says what to give when $what', ({ args, says }) => {
    const { status, stderr } = matrix(args);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(says) });
    expect(stderr).toContain('npm run test:matrix -- --servers FOLDER, or set MILLRACE_SERVERS to it');
  });

  it('reads the folder from MILLRACE_SERVERS', () => {
    expect(matrix([], folder)).toEqual({ status: 2, stderr: expect.stringContaining(`no Redis or Valkey server in ${folder}`) });
  });
});

describe('the servers of a folder', () => {
  it('are its executables that say that they are one', async () => {
    const binary = (await findOnPath('redis-server', process.env)) ?? (await findOnPath('valkey-server', process.env));
    symlinkSync(binary!, join(folder, 'one'));
    symlinkSync(process.execPath, join(folder, 'node'));
    writeFileSync(join(folder, 'notes.txt'), 'Redis server v=1');
    const { servers, problem } = serversIn(folder);
    expect(problem).toBeNull();
    expect(servers).toEqual([{ name: 'one', version: expect.stringMatching(/^(Redis|Valkey) \d/), binary: expect.stringMatching(/^\//) }]);
    expect(serversIn(folder, ['two']).problem).toBe('No server fits --only two; there are one.');
  });
});

describe('the report', () => {
  const server = { name: 'redis-9', version: 'Redis 9.0.0' };
  const failed = { fullName: 'a test', status: 'failed', failureMessages: ['Error: no\n at here'] };
  const passed = { fullName: 'another', status: 'passed', failureMessages: [] };
  const report = {
    numPassedTests: 1, numFailedTests: 1, numPendingTests: 2, numTodoTests: 0,
    testResults: [
      { name: 'a.spec.ts', status: 'failed', message: '', assertionResults: [failed, passed] },
      { name: 'b.spec.ts', status: 'failed', message: 'syntax', assertionResults: [] },
    ],
  };

  it('counts tests, and a suite that could not run as a failure', () => {
    const result = resultOf(server, report, 1_499);
    expect(table([result]).split('\n').at(-1)).toBe('| redis-9 | Redis 9.0.0 | 1 | 2 | 2 | 1 |');
    expect(failures(result)).toBe('Failed on redis-9:\n- a.spec.ts: a test: Error: no\n- b.spec.ts: could not run: syntax');
    expect(isGood(result)).toBe(false);
  });

  it('is bad when nothing ran', () => {
    expect(isGood(resultOf(server, null, 0))).toBe(false);
    expect(isGood(resultOf(server, { ...report, numPassedTests: 0, numFailedTests: 0, testResults: [] }, 0))).toBe(false);
    expect(isGood({ passed: 1, failed: 0 })).toBe(true);
  });
});
