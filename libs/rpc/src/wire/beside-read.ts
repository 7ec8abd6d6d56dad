/** From so many things on, the time that a read takes is worth more than that by which they are begun later. */
const MANY = 8;

/**
 * Runs `work` on what a read has brought. A few things come first, and what they send at once goes ahead of the next read; many
 * are worked on while the next read is under way.
 *
 * @param count how many there are
 * @param work never throws
 * @returns a promise that resolves when the next read may be sent
 */
export function besideRead(count: number, work: () => void): Promise<void> {
  if (count >= MANY) {
    process.nextTick(work);
    return Promise.resolve();
  }
  work();
  // The end of the tick, at which requests and answers are sent, comes before this resolves.
  return new Promise((resolve) => process.nextTick(resolve));
}
