/**
 * Runs `send` for each of `count` numbers, with at most `size` of them under way, so that a fast publisher keeps its memory
 * bounded.
 *
 * @throws the first failure, when all calls that were begun have ended
 */
export async function inWindow(count: number, size: number, send: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await send(next++);
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(size, count) }, lane));
  const failed = lanes.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
