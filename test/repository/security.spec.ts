import { describe, expect, it } from '@jest/globals';
import { holdsTest, proofsOf } from './proofs.js';
import { has, read } from './repository.js';

const rows = read('docs/security.md').split('\n').filter((line) => /^\| \d+ \|/.test(line));

describe('docs/security.md', () => {
  it('has the twenty requirements in their order', () => {
    expect(rows.map((row) => Number(row.split('|')[1]))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it('names a test for every requirement, or says that there is none', () => {
    expect(rows.filter((row) => proofsOf(row).length === 0 && !row.includes('No test'))).toEqual([]);
  });

  it('names only tests that exist', () => {
    const proofs = rows.flatMap(proofsOf);
    expect(proofs.filter(({ file }) => !has(file))).toEqual([]);
    expect(proofs.filter((proof) => !holdsTest(proof))).toEqual([]);
  });
});
