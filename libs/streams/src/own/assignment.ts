import { weightOf } from '../group/rendezvous.js';

/** Everything that an assignment depends on: members that know the same find the same assignment. */
export interface Roll {
  /** Members that may own partitions, in any order. */
  readonly members: readonly string[];
  /** A key for each partition, the same in all members. */
  readonly keys: readonly string[];
  /** By partition, its present owner; null where there is none. */
  readonly owners: readonly (string | null)[];
}

/**
 * Assigns each partition to a member, so that no two members differ by more than one partition: bounded rendezvous hashing,
 * which leaves with their owners all the partitions that it can. Members without a partition stand by.
 *
 * Moves that are done do not change those that are left, so members that look at different moments go for the same end.
 *
 * @returns by partition, its member; null where there is no member at all
 */
export function assign(roll: Roll): (string | null)[] {
  const { members, keys } = roll;
  const assigned: (string | null)[] = keys.map(() => null);
  if (members.length === 0) return assigned;
  const room = roomOf(roll);
  const give = (index: number, member: string): void => {
    assigned[index] = member;
    room.set(member, room.get(member)! - 1);
  };
  for (const [index, owner] of dearest(roll)) if ((room.get(owner) ?? 0) > 0) give(index, owner);
  for (const index of shuffled(keys)) if (assigned[index] === null) give(index, heaviest(members, keys[index]!, room));
  return assigned;
}

/**
 * How many partitions each member gets. Where they do not come out even, those get one more first that have so many already. How
 * many more, or fewer, a member has is no claim: that changes while partitions move, and so would the end that members go for.
 */
function roomOf({ members, keys, owners }: Roll): Map<string, number> {
  const [each, more] = [Math.floor(keys.length / members.length), keys.length % members.length];
  const owned = new Map<string | null, number>();
  for (const owner of owners) owned.set(owner, (owned.get(owner) ?? 0) + 1);
  const claims = new Map(members.map((member) => [member, (owned.get(member) ?? 0) > each ? 1 : 0]));
  const weights = new Map(members.map((member) => [member, weightOf(member, keys[0] ?? '')]));
  const byClaim = members.toSorted((one, other) =>
    claims.get(other)! - claims.get(one)! || weights.get(other)! - weights.get(one)! || (one < other ? -1 : 1));
  return new Map(byClaim.map((member, rank) => [member, rank < more ? each + 1 : each]));
}

/** Partitions that have an owner, with it: those first in which it weighs most. */
function dearest({ keys, owners }: Roll): [index: number, owner: string][] {
  const owned = keys.flatMap((key, index) => {
    const owner = owners[index] ?? null;
    return owner === null ? [] : [{ index, owner, weight: weightOf(owner, key) }];
  });
  owned.sort((one, other) => other.weight - one.weight || one.index - other.index);
  return owned.map(({ index, owner }) => [index, owner]);
}

/** An order of the partitions that is the same in all members, and not that of their numbers. */
function shuffled(keys: readonly string[]): number[] {
  const weights = keys.map((key) => weightOf('', key));
  return keys.map((_, index) => index).sort((one, other) => weights[one]! - weights[other]! || one - other);
}

function heaviest(members: readonly string[], key: string, room: ReadonlyMap<string, number>): string {
  let [best, most] = ['', -1];
  for (const member of members) {
    if (room.get(member) === 0) continue;
    const weight = weightOf(member, key);
    if (weight > most || (weight === most && member > best)) [best, most] = [member, weight];
  }
  return best;
}
