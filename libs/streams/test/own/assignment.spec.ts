import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { assign } from '../../src/own/assignment.js';

const keysOf = (partitions: number): string[] => Array.from({ length: partitions }, (_, partition) => `orders/g/${partition}`);
const namesOf = (members: number, from = 0): string[] => Array.from({ length: members }, (_, index) => `host-${1_000 + from + index}-0a1b2c3d4e5f.1`);

interface Case {
  readonly members: readonly string[];
  readonly keys: readonly string[];
  readonly owners: readonly (string | null)[];
}

/** Members, partitions, and any owners: members, others, nobody. */
const anyCase: fc.Arbitrary<Case> = fc
  .record({ members: fc.integer({ min: 1, max: 20 }), partitions: fc.integer({ min: 1, max: 64 }), from: fc.nat(1_000) })
  .chain(({ members, partitions, from }) => {
    const names = namesOf(members, from);
    const owner = fc.constantFrom(null, ...names, 'gone.1');
    return fc.record({
      members: fc.constant(names),
      keys: fc.constant(keysOf(partitions)),
      owners: fc.array(owner, { minLength: partitions, maxLength: partitions }),
    });
  });

type Owners = readonly (string | null)[];

const countOf = (assigned: Owners, member: string): number => assigned.filter((each) => each === member).length;
const movesOf = (before: Owners, after: Owners): number => after.filter((member, index) => member !== before[index]).length;
const ownersOf = (members: readonly string[], keys: readonly string[], before?: Owners): Owners =>
  assign({ members, keys, owners: before ?? keys.map(() => null) });

describe('the assignment', () => {
  it('gives every partition to a member, and no two members differ by more than one', () => {
    fc.assert(fc.property(anyCase, (given) => {
      const assigned = assign(given);
      const counts = given.members.map((member) => countOf(assigned, member));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(given.keys.length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }));
  });

  it('does not depend on the order in which a member knows the others', () => {
    fc.assert(fc.property(anyCase, fc.nat(20), (given, turns) => {
      const turned = [...given.members.slice(turns), ...given.members.slice(0, turns)].reverse();
      expect(assign({ ...given, members: turned })).toEqual(assign(given));
    }));
  });

  it('moves no more partitions than the members who have too many, or are gone, must give up', () => {
    fc.assert(fc.property(anyCase, (given) => {
      const most = Math.ceil(given.keys.length / given.members.length);
      const kept = given.members.map((member) => Math.min(countOf(given.owners, member), most));
      const atLeast = given.keys.length - kept.reduce((sum, count) => sum + count, 0);
      // Where partitions do not come out even, a member may have to give up one more.
      expect(movesOf(given.owners, assign(given))).toBeLessThanOrEqual(atLeast + given.members.length);
    }));
  });

  it('moves as many partitions as a member gets who joins, and those alone that a member had who leaves', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 128 }), (members, partitions) => {
      const keys = keysOf(partitions);
      const [few, many] = [namesOf(members), namesOf(members + 1)];
      const [withFew, withMany] = [ownersOf(few, keys), ownersOf(many, keys)];
      expect(movesOf(withFew, ownersOf(many, keys, withFew))).toBe(Math.floor(partitions / (members + 1)));
      expect(movesOf(withMany, ownersOf(few, keys, withMany))).toBe(countOf(withMany, many.at(-1)!));
    }));
  });

  it('stays the same once it is in force', () => {
    fc.assert(fc.property(anyCase, (given) => {
      const assigned = assign(given);
      expect(assign({ ...given, owners: assigned })).toEqual(assigned);
    }));
  });

  it('stays the same while it comes into force, whichever moves are done first', () => {
    fc.assert(fc.property(anyCase, fc.array(fc.constantFrom('old', 'free', 'new'), { minLength: 64, maxLength: 64 }), (given, states) => {
      const assigned = assign(given);
      const owners = given.owners.map((owner, index) => {
        if (owner === assigned[index] || states[index] === 'old') return owner;
        return states[index] === 'free' ? null : assigned[index]!;
      });
      expect(assign({ ...given, owners })).toEqual(assigned);
    }));
  });

  it('lets members without a partition stand by, and different ones for different subscriptions', () => {
    const members = namesOf(50);
    const busy = (topic: string): string[] => {
      const keys = Array.from({ length: 4 }, (_, partition) => `${topic}/g/${partition}`);
      return ownersOf(members, keys) as string[];
    };
    const all = new Set(Array.from({ length: 40 }, (_, number) => busy(`topic${number}`)).flat());
    expect(new Set(busy('orders')).size).toBe(4);
    expect(all.size).toBeGreaterThan(40);
  });

  it('is empty without members', () => {
    expect(assign({ members: [], keys: keysOf(2), owners: ['gone.1', null] })).toEqual([null, null]);
  });

  it('takes a few milliseconds for 256 partitions and 64 members', () => {
    const given = { members: namesOf(64), keys: keysOf(256), owners: Array.from({ length: 256 }, () => null) };
    const times = Array.from({ length: 10 }, () => {
      const sinceMs = performance.now();
      assign(given);
      return performance.now() - sinceMs;
    });
    // A generous bound: 3 ms on a quiet machine.
    expect(Math.min(...times)).toBeLessThan(30);
  });
});
