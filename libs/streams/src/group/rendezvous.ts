/**
 * Ranks members for a key without asking anybody: by the weight of both together (rendezvous hashing). Processes that know the
 * same members find the same order. When a member is gone, only the keys for which it was first get another first member.
 */
export function rankOf(member: string, members: Iterable<string>, key: string): number {
  const own = weightOf(member, key);
  let rank = 0;
  for (const other of members) {
    if (other === member) continue;
    const weight = weightOf(other, key);
    if (weight > own || (weight === own && other > member)) rank += 1;
  }
  return rank;
}

const { imul } = Math;
const OFFSET_BASIS = 0x81_1c_9d_c5;
const PRIME = 0x01_00_01_93;

/**
 * The weight of a member for a key: FNV-1a of 32 bits, mixed once more, since its high bits hardly depend on the last characters.
 */
export function weightOf(member: string, key: string): number {
  let hash = OFFSET_BASIS;
  const text = `${key} ${member}`;
  for (let at = 0; at < text.length; at += 1) hash = imul(hash ^ text.charCodeAt(at), PRIME);
  hash = imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
