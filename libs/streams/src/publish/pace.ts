import type { RedisConnection } from '@millrace/redis';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/** Pauses between tries, in milliseconds. The first is short: a partition that was just made again can take messages at once. */
export function* pauses(): Generator<number> {
  yield 1;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) yield pauseMs;
}

/** Waits until another try makes sense. It always lets the event loop turn: a closing connection refuses without waiting. */
export async function untilWorthIt(redis: RedisConnection, pauseMs: number): Promise<void> {
  if (redis.isReady) await pause(pauseMs);
  else await redis.whenReady(pauseMs);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
