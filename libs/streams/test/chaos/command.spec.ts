import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BAD, good } from './histories.js';
import { writeHistory } from './stored-history.js';
import type { History } from './verdict.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function command(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'chaos', '--', ...args], { cwd: ROOT, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function judged(change: Partial<History>): { status: number | null; document: unknown } {
  const file = join(folder, 'history.json');
  writeHistory(file, { ...good, ...change });
  const { status, stdout } = command('--judge', file, '--json');
  return { status, document: JSON.parse(stdout) };
}

const nothing = { lost: 0, phantom: 0, dup_entries: 0, dup_effects: 0, order: 0, two_owners: 0, stuck: 0, bad_dead_letters: 0 };
const named = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

describe('npm run chaos', () => {
  it('ends with 0 when every figure is 0', () => {
    expect(judged({})).toEqual({ status: 0, document: { holds: true, verdict: nothing } });
  });

  it.each(Object.keys(nothing))('ends with 1 when %s is not', (figure) => {
    const [, change] = BAD.find(([, , verdict]) => Object.keys(verdict).every((name) => [figure, 'reruns', 'duplicates', 'overtaken'].includes(named(name))))!;
    const { status, document } = judged(change);
    expect(document).toMatchObject({ holds: false, verdict: { ...nothing, [figure]: expect.any(Number) } });
    expect(document).not.toMatchObject({ verdict: { [figure]: 0 } });
    expect(status).toBe(1);
  });

  it('ends with 2 when the options are wrong', () => {
    expect(command('--mode', 'neither')).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('neither') });
  });
});
