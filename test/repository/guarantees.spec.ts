import { describe, expect, it } from '@jest/globals';
import { has, read } from './repository.js';

const PROOF = /`(?<file>[^`]+\.spec\.ts) › (?<title>[^`]+)`/g;

interface Proof {
  file: string;
  title: string;
}

const rows = promiseRows(read('docs/guarantees.md'));

/** The rows of the table under "Promises", without its head. */
function promiseRows(text: string): string[] {
  const section = text.split(/^## /m).find((part) => part.startsWith('Promises')) ?? '';
  return section.split('\n').filter((line) => line.startsWith('|')).slice(2);
}

function proofsOf(row: string): Proof[] {
  return [...row.matchAll(PROOF)].map(({ groups }) => ({ file: groups?.file ?? '', title: groups?.title ?? '' }));
}

function holdsTest({ file, title }: Proof): boolean {
  const source = read(file);
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
}

describe('docs/guarantees.md', () => {
  it('promises something', () => {
    expect(rows.length).toBeGreaterThan(0);
  });

  it('names a test for every promise', () => {
    expect(rows.filter((row) => proofsOf(row).length === 0)).toEqual([]);
  });

  it('names only tests that exist', () => {
    const proofs = rows.flatMap(proofsOf);
    expect(proofs.filter(({ file }) => !has(file))).toEqual([]);
    expect(proofs.filter((proof) => !holdsTest(proof))).toEqual([]);
  });
});
