import { expect, it } from '@jest/globals';
import { seedOf } from '@millrace/testing';
import { chaos } from './chaos/chaos.js';
import { isRolledBack } from './chaos/plan.js';
import { documentOf, lineOf } from './chaos/report.js';
import { isClean } from './chaos/verdict.js';

const ORDERS = 600;
const FAULTS = 6;
const seed = seedOf();

it(`keeps the promises of transactions over ${ORDERS} orders and ${FAULTS} faults (seed ${seed})`, async () => {
  const options = { messages: ORDERS, faults: FAULTS, workers: 2, seed };
  const report = await chaos(options);
  const document = documentOf(options, report);
  console.log(`${lineOf(document)}\n${JSON.stringify({ ...document.figures, ...document.faults })}`);
  const { verdict, history } = report;
  expect({ ...verdict, isClean: isClean(verdict) }).toMatchObject({ isClean: true });
  // Each order was placed but those whose transactions are rolled back: the run has stood still nowhere.
  const kept = Array.from({ length: ORDERS }, (_, order) => order).filter((order) => !isRolledBack(order));
  expect(history.placed.toSorted((one, other) => one - other)).toEqual(kept);
  expect(history.marks.length).toBeGreaterThan(0);
}, 300_000);
