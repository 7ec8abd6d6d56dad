import { describe, expect, it } from '@jest/globals';
import { GUARDS } from '../../tools/mutants/guards.js';
import { mutated } from '../../tools/mutants/mutation.js';
import { caughtBy, patternOf, unfit } from '../../tools/mutants/report.js';
import { has, read } from './repository.js';

const guard = { name: 'the fence', file: 'a.lua', find: 'if mine then', replace: 'if $& then', spec: 'libs/a.spec.ts', title: 'refuses (all)' };

function report(...tests: [fullName: string, status: string][]): NonNullable<Parameters<typeof unfit>[0]> {
  const assertionResults = tests.map(([fullName, status]) => ({ fullName, status }));
  return { testResults: [{ name: '/somewhere/libs/a.spec.ts', assertionResults }] };
}

/** The titles in a spec, each in the parts between its placeholders. */
function titlesIn(text: string): string[][] {
  const titles = [...text.matchAll(/\('((?:[^'\\\n]|\\.)+)', (?:async )?[(_a-z]/g)];
  return titles.map(([, title]) => title!.replace(/\\(.)/g, '$1').split(/%[a-z]|\$\w+/));
}

describe('the guards that are switched off', () => {
  it.each(GUARDS.map((each) => [each.name, each] as const))('%s: is in its file, once', (_, each) => {
    expect(mutated(read(each.file), each)).not.toBe(read(each.file));
    expect(has(each.spec)).toBe(true);
  });

  it.each(GUARDS.map((each) => [each.name, each] as const))('%s: names a test that is there', (_, { spec, title }) => {
    const isMeant = (parts: string[]): boolean => parts.join('').includes(title) || parts.some((part) => part.length > 9 && title.includes(part.slice(0, 16)));
    expect(titlesIn(read(spec)).some(isMeant)).toBe(true);
  });

  it('have names of their own', () => {
    expect(new Set(GUARDS.map(({ name }) => name)).size).toBe(GUARDS.length);
  });
});

describe('switching a guard off', () => {
  it('replaces its text and nothing else, with the replacement as it is', () => {
    expect(mutated('a\nif mine then\nb', guard)).toBe('a\nif $& then\nb');
  });

  it.each(['nothing of it', 'if mine then\nif mine then'])('is refused when the text is not there exactly once: %j', (text) => {
    expect(() => mutated(text, guard)).toThrow(/^The guard 'the fence' cannot be switched off: the text to replace is in a\.lua [02] times/);
  });
});

describe('the report of the tests', () => {
  it('is caught when the test failed, by whatever stands before and behind its title', () => {
    expect(caughtBy(report(['x', 'failed'], ['it refuses (all) of it', 'failed']), guard)).toBe('it refuses (all) of it');
  });

  it.each([
    ['the test passed', report(['refuses (all)', 'passed'])],
    ['another test failed', report(['refuses nobody', 'failed'], ['refuses (all)', 'pending'])],
    ['a test of another file failed', { testResults: [{ ...report(['refuses (all)', 'failed']).testResults[0]!, name: '/libs/b.spec.ts' }] }],
    ['no test could begin', report()],
  ])('is not caught when %s', (_, result) => {
    expect(caughtBy(result, guard)).toBeNull();
  });

  it('is fit to catch when the test passes without a mutation', () => {
    expect(unfit(report(['refuses (all)', 'passed']), guard)).toBeNull();
    expect(unfit(report(['refuses (all)', 'failed']), guard)).toBe("'refuses (all)' in libs/a.spec.ts fails without any mutation.");
    expect(unfit(null, guard)).toBe("'refuses (all)' in libs/a.spec.ts does not end in time without any mutation.");
    expect(unfit(report(['another', 'passed']), guard)).toBe("No test called 'refuses (all)' passed in libs/a.spec.ts.");
  });

  it('is asked for by titles taken literally', () => {
    expect(patternOf('refuses (all) of a|b')).toBe('refuses \\(all\\) of a\\|b');
  });
});
