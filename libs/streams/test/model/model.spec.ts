import { it } from '@jest/globals';
import fc from 'fast-check';
import { Bed } from '../bed.js';
import { commands } from './commands.js';
import { RedisGroup } from './redis-group.js';
import { SharedMode } from './shared-mode.js';

/** Some 300 ms each: 1,500 on demand. A failure prints its seed and the commands; MILLRACE_SEED repeats it. */
const RUNS = Number(process.env['MILLRACE_MODEL_RUNS'] ?? (process.env['CI'] ? 300 : 100));
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const bed = new Bed('model');

it(`does what the model of shared mode does, whatever happens (${RUNS} runs, seed ${seed})`, async () => {
  const process = await bed.start();
  const property = fc.asyncProperty(commands, async (steps) => {
    await bed.command('FLUSHALL');
    const real = await RedisGroup.create(process.redis, bed.prefix);
    await fc.asyncModelRun(() => ({ model: new SharedMode(), real }), steps);
  });
  await fc.assert(property, { numRuns: RUNS, seed });
}, 3_600_000);
