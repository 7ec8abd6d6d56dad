import { it } from '@jest/globals';
import { connectMemory, MemoryServer } from '@millrace/testing';
import fc from 'fast-check';
import { commands } from './commands.js';
import { RedisGroup } from './redis-group.js';
import { SharedMode } from './shared-mode.js';

/** Some 40 ms each. A failure prints its seed and the commands; MILLRACE_SEED repeats it. */
const RUNS = Number(process.env['MILLRACE_MODEL_RUNS'] ?? 100);
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

it(`does in memory what the model of shared mode does (${RUNS} runs, seed ${seed})`, async () => {
  const property = fc.asyncProperty(commands, async (steps) => {
    const real = await RedisGroup.create(await connectMemory(new MemoryServer()), 'memory');
    await fc.asyncModelRun(() => ({ model: new SharedMode(), real }), steps);
  });
  await fc.assert(property, { numRuns: RUNS, seed });
}, 3_600_000);
