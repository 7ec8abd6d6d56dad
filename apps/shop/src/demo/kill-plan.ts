import type { SeededRandom } from '../random/seeded-random.js';

/** Kills happen before this share of the work is done. */
const LATEST = 0.85;

/**
 * Random moments for kills, spread over the work.
 *
 * @returns shares of the work, from 0 to 1, ascending
 */
export function planKills(count: number, random: SeededRandom): number[] {
  return Array.from({ length: count }, (_, index) => (LATEST * (index + random.fraction())) / count);
}
