import { afterEach, describe, expect, it } from '@jest/globals';
import { seedOf } from '@millrace/testing';

afterEach(() => {
  delete process.env['MILLRACE_SEED'];
});

describe('the seed of a random test', () => {
  it('is the one of the environment, each time, and is left in it for no application to refuse', () => {
    process.env['MILLRACE_SEED'] = '7';
    expect([seedOf(), seedOf()]).toEqual([7, 7]);
    expect(process.env).not.toHaveProperty('MILLRACE_SEED');
  });
});
