import { describe, it } from '@jest/globals';
import { connectMemory, MemoryServer } from '@millrace/testing';
import fc from 'fast-check';
import { Bed } from '../bed.js';
import { orderedCommands } from './ordered-commands.js';
import { OrderedGroup } from './ordered-group.js';
import { OrderedMode } from './ordered-mode.js';

/** Some 60 ms each. A failure prints its seed and the commands; MILLRACE_SEED repeats it. */
const RUNS = Number(process.env['MILLRACE_MODEL_RUNS'] ?? 50);
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

function checked(create: () => Promise<OrderedGroup>): Promise<void> {
  const property = fc.asyncProperty(orderedCommands, async (steps) => {
    const real = await create();
    await fc.asyncModelRun(() => ({ model: new OrderedMode(), real }), steps);
  });
  return fc.assert(property, { numRuns: RUNS, seed });
}

describe('three members of an ordered group', () => {
  const bed = new Bed('ordered-model');

  it(`do what the model of ordered mode does, whatever happens (${RUNS} runs, seed ${seed})`, async () => {
    const process = await bed.start();
    await checked(async () => {
      await bed.command('FLUSHALL');
      return OrderedGroup.create(process.redis, bed.prefix);
    });
  }, 3_600_000);

  it(`do it in memory as well (${RUNS} runs, seed ${seed})`, async () => {
    await checked(async () => OrderedGroup.create(await connectMemory(new MemoryServer()), 'memory'));
  }, 3_600_000);
});
