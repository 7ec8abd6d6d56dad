import { describe, expect, it } from '@jest/globals';
import { type Change, faultsIn } from './owner-tape.js';

const acquire = (owner: string, epoch: number, partition = 0): Change => ({ partition, owner, epoch });
const release = (partition = 0): Change => ({ partition, owner: null, epoch: null });
const NO_FAULTS = { twoOwners: 0, strayReleases: 0, takenFrom: [] };

describe('the verdict on the changes of owners', () => {
  it.each([
    ['a partition that changes hands', [acquire('a', 1), release(), acquire('b', 2), release()], NO_FAULTS],
    ['a member that owns anew what it owned', [acquire('a', 1), acquire('a', 2)], NO_FAULTS],
    ['two partitions', [acquire('a', 1, 0), acquire('b', 1, 1), release(0)], NO_FAULTS],
    ['two owners under one epoch', [acquire('a', 1), release(), acquire('b', 1)], { ...NO_FAULTS, twoOwners: 1 }],
    ['an epoch that falls', [acquire('a', 3), release(), acquire('a', 2)], { ...NO_FAULTS, twoOwners: 1 }],
    ['an owner from whom a partition is taken', [acquire('a', 1), acquire('b', 2)], { ...NO_FAULTS, takenFrom: ['a'] }],
    ['a release without an owner', [acquire('a', 1), release(), release()], { ...NO_FAULTS, strayReleases: 1 }],
  ])('%s', (_, changes, faults) => {
    expect(faultsIn(changes)).toEqual(faults);
  });
});
