import { afterAll, expect, it } from '@jest/globals';
import type { StandaloneTopology } from '@millrace/redis';
import { connectServer } from '@millrace/redis';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import fc from 'fast-check';
import { Scenario } from './scenario.js';
import { STEPS } from './steps.js';
import { SCRIPTS, Twin } from './twin.js';

/** Some 30 ms each. A failure prints its seed; MILLRACE_SEED repeats it, MILLRACE_MEMORY_RUNS asks for more. */
const RUNS = Number(process.env['MILLRACE_MEMORY_RUNS'] ?? 120);
const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let server: TestRedis | undefined;
let redis: StandaloneTopology | undefined;

afterAll(async () => {
  redis?.close();
  await server?.stop();
});

const start = ['declare', 'declareHook', 'publish', 'read'].map((name) => ({ name, draws: [0, 0, 4, 0, 0] }));
const draws = fc.array(fc.nat(10_000), { minLength: 5, maxLength: 5 });
const step = fc.record({ name: fc.constantFrom(...STEPS.map(([name]) => name)), draws });
const scenarios = fc.array(step, { minLength: 10, maxLength: 80, size: 'max' });

it(`runs each script in memory as Redis does (${RUNS} runs, seed ${seed})`, async () => {
  server = await startTestRedis();
  redis = await connectServer({ url: server.url });
  const twin = new Twin(redis.control);
  const byName = new Map(STEPS);
  const property = fc.asyncProperty(scenarios, async (steps) => {
    await twin.empty();
    const scenario = new Scenario(twin);
    for (const { name, draws: drawn } of [...start, ...steps]) await byName.get(name)!(scenario, drawn);
    await twin.expectSameData();
  });
  await fc.assert(property, { seed, numRuns: RUNS });
  expect(SCRIPTS.filter((name) => !twin.runs.has(name))).toEqual([]);
}, 3_600_000);
