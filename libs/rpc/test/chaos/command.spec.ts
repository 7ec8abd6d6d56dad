import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { History } from './history.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const EMPTY: History = { calls: [], executions: [], recorded: {}, ends: [], killed: [], left: 0 };

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function chaos(...args: string[]): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync('npm', ['run', '--silent', 'chaos', '--', ...args], { cwd: ROOT, encoding: 'utf8' });
  return { status, stdout };
}

function judged(history: History): { status: number | null; document: unknown } {
  const file = join(folder, 'history.json');
  writeFileSync(file, JSON.stringify(history));
  const { status, stdout } = chaos('--mode', 'rpc', '--judge', file, '--json');
  return { status, document: JSON.parse(stdout) };
}

describe('npm run chaos -- --mode rpc', () => {
  it('writes the figures, and ends with 0 when each is 0', () => {
    const promised = { unsettled: 0, double_settled: 0, executed_after_deadline: 0, dup_effects: 0 };
    const figures = { ...promised, lost: 0, wrong: 0, left: 0, bad_exits: 0 };
    expect(judged(EMPTY)).toEqual({ status: 0, document: { holds: true, ...figures, verdict: figures } });
  });

  it('ends with 1 when one is not', () => {
    expect(judged({ ...EMPTY, left: 2 })).toMatchObject({ status: 1, document: { holds: false, left: 2 } });
  });

  it('is listed by --help beside the other modes', () => {
    const { status, stdout } = chaos('--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/"ordered", "shared", "rpc"/);
    expect(stdout).toContain('executed_after_deadline');
  });
});
