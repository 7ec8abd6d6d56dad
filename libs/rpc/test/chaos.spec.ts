import { expect, it } from '@jest/globals';
import { seedOf } from '@millrace/testing';
import { chaos } from './chaos/chaos.js';
import { documentOf, lineOf } from './chaos/report.js';
import { isClean } from './chaos/verdict.js';

const MESSAGES = 1_000;
const FAULTS = 6;
const seed = seedOf();

it(`keeps the promises of calls over ${MESSAGES} calls and ${FAULTS} faults (seed ${seed})`, async () => {
  // A failover may lose what no replica has, and calls wait for none: other topologies are for the command.
  const options = { topology: 'standalone', messages: MESSAGES, faults: FAULTS, workers: 3, seed } as const;
  const report = await chaos(options);
  const document = documentOf(options, report);
  console.log(`${lineOf(document)}\n${JSON.stringify({ ...document.figures, ...document.endings, ...document.faults })}`);
  const { verdict, history } = report;
  expect({ ...verdict, isClean: isClean(verdict) }).toMatchObject({ isClean: true });
  // Answers were kept, and requests were to be repeated.
  expect(Object.keys(history.recorded).length).toBeGreaterThan(0);
  // Each call was made: the run has stood still nowhere.
  expect(new Set(history.calls.map(({ call }) => call)).size).toBe(MESSAGES);
}, 240_000);
