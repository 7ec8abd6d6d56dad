const FNV_OFFSET = 0x81_1c_9d_c5;
const FNV_PRIME = 0x01_00_01_93;
const RANGE = 2 ** 32;

/** 32 bits of a text: FNV-1a, mixed. The same in every process. */
export function hashOf(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  return mixed(hash);
}

/** The last step of MurmurHash3: each bit of the value changes each bit of the result in half of all cases. */
export function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A hash as a number above 0 and below 1. */
export function fractionOf(hash: number): number {
  return (hash + 0.5) / RANGE;
}
