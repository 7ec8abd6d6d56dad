import { expect, it } from '@jest/globals';
import { Bed } from '../bed.js';
import { chaos } from './chaos.js';
import { seedOf } from './plan.js';
import { isClean } from './verdict.js';

const MESSAGES = Number(process.env['MILLRACE_CHAOS_MESSAGES'] ?? 100_000);
const FAULTS = Number(process.env['MILLRACE_CHAOS_FAULTS'] ?? 150);
const WORKERS = 3;
const CONCURRENCY = 16;
const bed = new Bed('chaos', { appendonly: 'always' });
const first = seedOf();

it.each([first, first + 1, first + 2])(`keeps its promises over ${MESSAGES} messages and ${FAULTS} faults (seed %i)`, async (seed) => {
  const report = await chaos(bed, { messages: MESSAGES, faults: FAULTS, workers: WORKERS, concurrency: CONCURRENCY, seed });
  const { state, faults, badExits, ...verdict } = report;
  const stuck = state.lag + state.pending + state.retrying;
  console.log(
    `N=${MESSAGES} faults=${FAULTS} seed=${seed} lost=${verdict.lost} phantom=${verdict.phantom} dup_entries=${verdict.dupEntries} ` +
      `reruns=${verdict.reruns} stuck=${stuck} fenced=${state.fenced} redelivered=${state.redelivered} ` +
      `bad_dead_letters=${verdict.badDeadLetters} bad_exits=${badExits}\n${JSON.stringify(faults)}`,
  );
  expect({ ...verdict, isClean: isClean(verdict), stuck, badExits }).toMatchObject({
    lost: 0, phantom: 0, dupEntries: 0, badDeadLetters: 0, isClean: true, stuck: 0, badExits: 0,
  });
  // Each message ends once: Redis counts the same.
  expect(state).toMatchObject({ handled: MESSAGES - MESSAGES / 100, deadLettered: MESSAGES / 100 });
  // I4: a fault repeats only the attempts that were at work.
  expect(verdict.reruns).toBeLessThanOrEqual(FAULTS * WORKERS * CONCURRENCY);
}, 1_800_000);
