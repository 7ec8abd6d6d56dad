import { describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { pathOf, read } from './repository.js';

const FOLDER = 'libs/nestjs/test/transport/scenarios';
const STATUS = { passes: 'pass', 'does not apply': 'do not apply' };
const PROOF = /^`(?<file>[^`]+\.spec\.ts) › (?<title>[^`]+)`$/;
const TITLE = /^ *it\('(?<title>[^'\n]+)', /gm;

const page = read('docs/guides/nest-transport-scenarios.md');
const rows = page.split('\n').filter((line) => line.startsWith('|')).slice(2).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));

function rowsOf(status: string): string[][] {
  return rows.filter((cells) => cells[2] === status);
}

/** `file › title` of each test of the folder. */
function tests(): string[] {
  const files = readdirSync(pathOf(FOLDER)).filter((file) => file.endsWith('.spec.ts'));
  return files.flatMap((file) => [...read(`${FOLDER}/${file}`).matchAll(TITLE)].map(({ groups }) => `${file} › ${groups!.title}`));
}

function named(): string[] {
  return rowsOf('passes').map((cells) => PROOF.exec(cells[3]!)?.slice(1).join(' › ') ?? `no test: ${cells.join(' | ')}`);
}

describe('docs/guides/nest-transport-scenarios.md', () => {
  it('names for each scenario that passes a test that exists', () => {
    expect(named().filter((name) => !tests().includes(name))).toEqual([]);
  });

  it('names each test of a scenario', () => {
    expect(tests().filter((test) => !named().includes(test))).toEqual([]);
  });

  it('says of each other scenario why it does not pass', () => {
    const others = rowsOf('does not apply');
    expect(others.filter((cells) => !/^[A-Z].*\.$/.test(cells[3]!))).toEqual([]);
    expect(rowsOf('passes').length + others.length).toBe(rows.length);
  });

  it('counts them', () => {
    const counts = Object.entries(STATUS).map(([status, word]) => `${rowsOf(status).length} ${word}`);
    expect(page).toContain(`${rows.length} scenarios: ${counts.join(', ')}.`);
  });

  it('has no test of a scenario whose title is made as it runs', () => {
    const made = readdirSync(pathOf(FOLDER)).filter((file) => /^ *it(?:\.|\([^'])/m.test(read(`${FOLDER}/${file}`)));
    expect(made).toEqual([]);
  });
});
