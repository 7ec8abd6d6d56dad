import { crc32 } from 'node:zlib';

/** A row of the lane table stands for each. A key has one lane for ever, so this number may grow, never shrink. */
export const LANES = 64;

/** The lane of a row: rows of one key share it, rows without a key are spread. */
export function laneOf({ kind, target, key, id }: { kind: string; target: string; key: string | null; id: string }): number {
  return crc32(key === null ? id : `${kind}\n${target}\n${key}`) % LANES;
}
