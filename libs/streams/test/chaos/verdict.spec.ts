import { describe, expect, it } from '@jest/globals';
import { BAD, good, GOOD, nothing, swapped } from './histories.js';
import { isClean, verdictOn } from './verdict.js';

/** Figures that say something, and break no promise. */
const HARMLESS = ['reruns', 'duplicates', 'overtaken'];

describe('a good history', () => {
  it.each(GOOD)('%s', (_, change, verdict) => {
    expect(verdictOn({ ...good, ...change })).toEqual({ ...nothing, ...verdict });
    expect(isClean(verdictOn({ ...good, ...change }))).toBe(true);
  });

  it('has no order and no owners in shared mode', () => {
    const runs = [...good.runs, ...swapped()];
    const verdict = verdictOn({ ...good, mode: 'shared', runs });
    expect(verdict).toMatchObject({ order: null, twoOwners: null });
    expect(isClean({ ...nothing, order: null, twoOwners: null })).toBe(true);
  });
});

describe('a bad history', () => {
  it.each(BAD)('%s', (_, change, verdict) => {
    expect(verdictOn({ ...good, ...change })).toEqual({ ...nothing, ...verdict });
    expect(isClean(verdictOn({ ...good, ...change }))).toBe(Object.keys(verdict).every((name) => HARMLESS.includes(name)));
  });
});
