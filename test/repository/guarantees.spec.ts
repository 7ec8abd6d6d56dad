import { describe, expect, it } from '@jest/globals';
import { holdsTest, proofsOf } from './proofs.js';
import { has, read } from './repository.js';

const rows = promiseRows(read('docs/guarantees.md'));

/** The rows of the table under "Promises", without its head. */
function promiseRows(text: string): string[] {
  const section = text.split(/^## /m).find((part) => part.startsWith('Promises')) ?? '';
  return section.split('\n').filter((line) => line.startsWith('|')).slice(2);
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
