import type { Stage } from './stage.js';

/**
 * Runs `round` up to `count` times. One more begins only when there is time for one as long as the longest so far; the first
 * always does.
 *
 * @returns how many there were
 */
export async function runRounds(stage: Stage, count: number, round: (number: number) => Promise<void>): Promise<number> {
  let longest = 0;
  for (let number = 1; number <= count; number += 1) {
    if (number > 1 && !stage.hasTime(longest)) return number - 1;
    const from = performance.now();
    await round(number);
    longest = Math.max(longest, performance.now() - from);
  }
  return count;
}
