import { expect, it } from '@jest/globals';
import { seedOf, type TopologyName } from '@millrace/testing';
import { chaos } from './chaos/chaos.js';
import { type Mode, MODES } from './chaos/plan.js';
import { documentOf, lineOf } from './chaos/report.js';
import { isClean } from './chaos/verdict.js';

const MESSAGES = 1_000;
const FAULTS = 6;
const WORKERS = 3;
const seed = seedOf();

const SITES: readonly (readonly [Mode, TopologyName])[] = [
  ...MODES.map((mode) => [mode, 'standalone'] as const),
  ['ordered', 'cluster'],
  ['shared', 'sentinel'],
];

it.each(SITES)(`keeps its promises in %s mode on %s over ${MESSAGES} messages and ${FAULTS} faults (seed ${seed})`, async (mode, topology) => {
  const options = { mode, topology, messages: MESSAGES, faults: FAULTS, workers: WORKERS, seed } as const;
  const report = await chaos(options);
  console.log(lineOf(documentOf(options, report)));
  const { verdict, badExits } = report;
  expect({ ...verdict, isClean: isClean(verdict), badExits }).toMatchObject({ isClean: true, badExits: 0 });
  // Each message ends once: Redis counts the same.
  expect(report.state).toMatchObject({ handled: MESSAGES - MESSAGES / 100, deadLettered: MESSAGES / 100 });
}, 240_000);
