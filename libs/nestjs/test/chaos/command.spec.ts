import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { History } from './history.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const EMPTY: History = {
  placed: [], published: [], forwarded: [], effects: [], marks: [], strikes: [], killed: 0, missed: [],
  left: { halves: 0, rows: 0, unhandled: 0, unforwarded: 0 }, deadLetters: 0, badExits: 0,
};

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function judged(history: History): { status: number | null; document: unknown } {
  const file = join(folder, 'history.json');
  writeFileSync(file, JSON.stringify(history));
  const args = ['run', '--silent', 'chaos', '--', '--mode', 'transactions', '--judge', file, '--json'];
  const { status, stdout } = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8' });
  return { status, document: JSON.parse(stdout) };
}

describe('npm run chaos -- --mode transactions', () => {
  it('writes the figures, and ends with 0 when each is 0', () => {
    const figures = { lost: 0, phantom: 0, doubled: 0, dup_effects: 0, halves_left: 0, stuck: 0, dead_letters: 0, bad_exits: 0 };
    expect(judged(EMPTY)).toEqual({ status: 0, document: { holds: true, ...figures, verdict: figures } });
  });

  it('ends with 1 when one is not', () => {
    expect(judged({ ...EMPTY, placed: [1] })).toMatchObject({ status: 1, document: { holds: false, lost: 1 } });
  });
});
