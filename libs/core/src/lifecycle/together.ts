/** Only pauses so long are shortened, and by so much at the most: one that ends when something is due must not end later. */
const LONG_MS = 5_000;
const TOGETHER_MS = 100;

/** A pause that ends together with other long ones, so that a process with many loops which have little to do wakes seldom. */
export function together(ms: number): number {
  if (ms < LONG_MS) return ms;
  const nowMs = performance.now();
  return Math.floor((nowMs + ms) / TOGETHER_MS) * TOGETHER_MS - nowMs;
}
