import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathOf } from './repository.js';

const PASSED = {
  numPassedTests: 41,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 0,
  numPendingTests: 0,
  numTodoTests: 0,
};

let folder: string;
let report: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-counts-'));
  report = join(folder, 'report.json');
});

afterEach(() => rmSync(folder, { recursive: true }));

function counts(): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync(process.execPath, [pathOf('.ci/counts.js'), report], { encoding: 'utf8' });
  return { status, stdout };
}

describe('.ci/counts.js', () => {
  it.each([
    { what: 'passed', change: {}, line: '41 passed, 0 failed' },
    { what: 'failed', change: { numFailedTests: 2 }, line: '41 passed, 2 failed' },
    { what: 'could not be run', change: { numFailedTests: 2, numRuntimeErrorTestSuites: 1 }, line: '41 passed, 3 failed' },
    { what: 'was left out', change: { numPendingTests: 1, numTodoTests: 2 }, line: '41 passed, 0 failed, 3 skipped' },
  ])('counts what $what', ({ change, line }) => {
    writeFileSync(report, JSON.stringify({ ...PASSED, ...change }));
    expect(counts()).toEqual({ status: 0, stdout: `${line}\n` });
  });

  it('fails when there was nothing to count', () => {
    writeFileSync(report, JSON.stringify({ ...PASSED, numPassedTests: 0 }));
    expect(counts()).toEqual({ status: 1, stdout: '0 passed, 0 failed\n' });
  });

  it('fails, and counts nothing, when the tests did not begin', () => {
    expect(counts()).toEqual({ status: 1, stdout: '' });
  });
});
