import { expect, it } from '@jest/globals';
import { seedOf } from '@millrace/testing';
import { chaos } from './chaos/chaos.js';
import { documentOf, lineOf } from './chaos/report.js';
import { isClean } from './chaos/verdict.js';

const MESSAGES = 300;
const FAULTS = 3;
const seed = seedOf();

it(`keeps the promises of the Nest transport over ${MESSAGES} events and requests and ${FAULTS} faults (seed ${seed})`, async () => {
  // The start of a process costs more than all that it does here.
  const options = { messages: MESSAGES, faults: FAULTS, workers: 2, clients: 1, seed };
  const report = await chaos(options);
  const document = documentOf(options, report);
  console.log(`${lineOf(document)}\n${JSON.stringify({ ...document.figures, ...document.endings, ...document.faults })}`);
  const { verdict, history } = report;
  expect({ ...verdict, isClean: isClean(verdict) }).toMatchObject({ isClean: true });
  // Each was begun: the run has stood still nowhere.
  expect(history.emits.length + history.requests.length).toBe(MESSAGES);
}, 240_000);
