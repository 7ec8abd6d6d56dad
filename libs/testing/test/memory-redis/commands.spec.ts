import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import fc from 'fast-check';
import { MemoryRedis } from '../../src/memory-redis/memory-redis.js';
import { beginning, entries, groups, hashes, keys, sortedSets, texts } from './commands.js';
import { type Command, rawOutcome, Twin } from './twin.js';

/** A failure prints its seed; MILLRACE_SEED repeats it, MILLRACE_MEMORY_RUNS asks for more. */
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env['MILLRACE_MEMORY_RUNS'] ?? 300);

let server: TestRedis;
let twin: Twin;

beforeAll(async () => {
  server = await startTestRedis();
  twin = new Twin(server.url);
});

afterAll(async () => {
  twin.close();
  await server.stop();
});

const KINDS = { hashes, 'sorted sets': sortedSets, texts, entries, groups: [...entries, ...groups, ...groups] };

function sequences(kinds: readonly fc.Arbitrary<Command>[]): fc.Arbitrary<Command[]> {
  return fc.array(fc.oneof(...kinds), { minLength: 1, maxLength: 80, size: 'max' });
}

describe('a Redis in memory', () => {
  it.each(Object.entries(KINDS))(`answers as Redis does: %s (seed ${seed})`, async (_, kinds) => {
    const property = fc.asyncProperty(sequences([...kinds, ...kinds, ...keys]), async (commands) => {
      await twin.empty();
      const { real, memory } = await twin.ask([...(commands.length % 2 === 0 ? beginning : []), ...commands]);
      expect(memory).toEqual(real);
    });
    await fc.assert(property, { seed, numRuns: RUNS });
  });

  it('answers the same when it is asked the same', () => {
    const property = fc.property(sequences(Object.values(KINDS).flat()), (commands) => {
      const answers = (): unknown[] => {
        let now = 1_800_000_000_000;
        const memory = new MemoryRedis({ nowMs: () => (now += 1) });
        return commands.map((command) => rawOutcome(memory, command));
      };
      expect(answers()).toEqual(answers());
    });
    fc.assert(property, { seed, numRuns: RUNS });
  });
});
