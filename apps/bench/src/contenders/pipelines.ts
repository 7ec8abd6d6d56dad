import type { ChainableCommander, Redis } from 'ioredis';
import { inWindow } from './window.js';

const SIZE = 256;
const IN_FLIGHT = 2;

/**
 * Sends `count` commands in pipelines of 256, two of them under way.
 *
 * @throws the first failure of a command
 */
export function inPipelines(
  redis: Redis,
  count: number,
  add: (pipeline: ChainableCommander, number: number) => unknown,
): Promise<void> {
  return inWindow(Math.ceil(count / SIZE), IN_FLIGHT, async (chunk) => {
    const [pipeline, from] = [redis.pipeline(), chunk * SIZE];
    for (let number = from; number < Math.min(from + SIZE, count); number += 1) add(pipeline, number);
    const failed = (await pipeline.exec())?.find(([error]) => error);
    if (failed) throw failed[0]!;
  });
}
