import { expect, it } from '@jest/globals';
import { Bed } from '../bed.js';
import { seedOf } from '@millrace/testing';
import { shutDownAtRandom } from './shutdown.js';

const nothing = {
  lost: 0, phantom: 0, dupEntries: 0, dupEffects: 0, order: null, twoOwners: null, stuck: 0, badDeadLetters: 0,
  reruns: 0, duplicates: 0, overtaken: 0, badExits: 0, late: 0, redelivered: 0,
};
const bed = new Bed('shutdown');
const seed = seedOf();
const SIGTERMS = Number(process.env['MILLRACE_SIGTERMS'] ?? 10);

it(`I9 a worker that is asked to stop loses nothing and handles nothing twice: ${SIGTERMS} times at random (seed ${seed})`, async () => {
  const report = await shutDownAtRandom(bed, { sigterms: SIGTERMS, seed });
  const { messages, ...broken } = report;
  const counts = Object.entries(broken).map(([name, count]) => `${name}=${count ?? '-'}`);
  console.log(`sigterms=${SIGTERMS} messages=${messages} seed=${seed} ${counts.join(' ')}`);
  expect(broken).toEqual(nothing);
}, 1_200_000);
