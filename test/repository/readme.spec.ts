import { describe, expect, it } from '@jest/globals';
import { read } from './repository.js';

describe('README.md', () => {
  it('can be read in one go: 250 lines at the most', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(250);
  });

  it('names the two commands', () => {
    expect(read('README.md')).toContain('npm run demo');
    expect(read('README.md')).toContain('npm test');
  });
});
