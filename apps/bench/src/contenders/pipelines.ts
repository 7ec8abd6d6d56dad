import type { ChainableCommander, Redis } from 'ioredis';

const SIZE = 256;
const IN_FLIGHT = 2;

/** Sends `count` commands in pipelines of 256, two of them under way. */
export async function inPipelines(
  redis: Redis,
  count: number,
  add: (pipeline: ChainableCommander, number: number) => unknown,
): Promise<void> {
  const flying: Promise<unknown>[] = [];
  for (let from = 0; from < count; from += SIZE) {
    const pipeline = redis.pipeline();
    for (let number = from; number < Math.min(from + SIZE, count); number += 1) add(pipeline, number);
    flying.push(pipeline.exec());
    if (flying.length === IN_FLIGHT) await flying.shift();
  }
  await Promise.all(flying);
}

/** Says goodbye; resolves when Redis has answered everything that was sent before. */
export async function ended(redis: Redis): Promise<void> {
  await redis.quit();
}
