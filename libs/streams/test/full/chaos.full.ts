import { expect, it } from '@jest/globals';
import { seedOf } from '@millrace/testing';
import { chaos, CONCURRENCY } from '../chaos/chaos.js';
import { documentOf, lineOf } from '../chaos/report.js';
import { isClean } from '../chaos/verdict.js';

const MESSAGES = Number(process.env['MILLRACE_CHAOS_MESSAGES'] ?? 100_000);
const FAULTS = Number(process.env['MILLRACE_CHAOS_FAULTS'] ?? 150);
const WORKERS = 3;
const first = seedOf();

it.each([first, first + 1, first + 2])(`keeps its promises over ${MESSAGES} messages and ${FAULTS} faults (seed %i)`, async (seed) => {
  const options = { mode: 'shared', topology: 'standalone', messages: MESSAGES, faults: FAULTS, workers: WORKERS, seed } as const;
  const report = await chaos(options);
  const document = documentOf(options, report);
  console.log(`${lineOf(document)}\n${JSON.stringify({ ...document.figures, ...document.faults })}`);
  const { verdict, badExits } = report;
  expect({ ...verdict, isClean: isClean(verdict), badExits }).toMatchObject({ isClean: true, badExits: 0 });
  // Each message ends once: Redis counts the same.
  expect(report.state).toMatchObject({ handled: MESSAGES - MESSAGES / 100, deadLettered: MESSAGES / 100 });
  // I4: a fault repeats only the attempts that were at work.
  expect(verdict.reruns).toBeLessThanOrEqual(FAULTS * WORKERS * CONCURRENCY);
}, 1_800_000);
