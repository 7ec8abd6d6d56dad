import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { History } from './history.js';

const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
const EMPTY: History = {
  emits: [], requests: [], handled: [], executed: [], letters: [], stalls: [], faults: [], killed: [],
  left: { events: 0, requests: 0 }, badExits: 0,
};

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function judged(history: History): { status: number | null; document: unknown } {
  const file = join(folder, 'history.json');
  writeFileSync(file, JSON.stringify(history));
  const args = ['run', '--silent', 'chaos', '--', '--mode', 'transport', '--judge', file, '--json'];
  const { status, stdout } = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8' });
  return { status, document: JSON.parse(stdout) };
}

describe('npm run chaos -- --mode transport', () => {
  it('writes the figures, and ends with 0 when each is 0', () => {
    const ofEvents = { lost: 0, stuck: 0, phantom: 0, bad_dead_letters: 0 };
    const ofRequests = { unsettled: 0, double_settled: 0, wrong: 0, executed_twice: 0 };
    const figures = { ...ofEvents, ...ofRequests, bad_exits: 0 };
    expect(judged(EMPTY)).toEqual({ status: 0, document: { holds: true, ...figures, verdict: figures } });
  });

  it('ends with 1 when one is not', () => {
    const emits = [{ pid: 1, number: 9, outcome: 'ok' }];
    expect(judged({ ...EMPTY, emits })).toMatchObject({ status: 1, document: { holds: false, lost: 1 } });
  });
});
