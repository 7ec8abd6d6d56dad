import { beforeEach, expect, it } from '@jest/globals';
import { ReplicatedBed } from '../replicated-bed.js';
import { seedOf } from '@millrace/testing';
import { failOverAgainAndAgain } from './failovers.js';

const FAILOVERS = Number(process.env['MILLRACE_FAILOVERS'] ?? 5);
/** I10, without the time until the failover is noticed: that depends on the tool that promotes the replica. */
const RECOVERY_MS = 5_000 * Number(process.env['MILLRACE_RECOVERY_FACTOR'] ?? 1);
const bed = new ReplicatedBed('failover');
const seed = seedOf();

beforeEach(() => bed.follow());

it(`loses nothing that replicated(1) has confirmed over ${FAILOVERS} failovers (seed ${seed})`, async () => {
  const { confirmed, state, recoveriesMs, ...verdict } = await failOverAgainAndAgain(bed, { failovers: FAILOVERS, seed });
  const { lost, missing, phantom, dupEntries, badDeadLetters, reruns } = verdict;
  const recoveryMs = Math.round(Math.max(...recoveriesMs));
  const stuck = state.lag + state.pending + state.retrying;
  console.log(
    `failovers=${FAILOVERS} seed=${seed} confirmed=${confirmed} lost=${lost} missing=${missing} phantom=${phantom} dup_entries=${dupEntries} ` +
      `bad_dead_letters=${badDeadLetters} reruns=${reruns} stuck=${stuck} recoveryMs=${recoveryMs}`,
  );
  expect({ lost, missing, phantom, dupEntries, badDeadLetters, stuck }).toEqual({
    lost: 0, missing: 0, phantom: 0, dupEntries: 0, badDeadLetters: 0, stuck: 0,
  });
  expect(recoveryMs).toBeLessThanOrEqual(RECOVERY_MS);
}, 300_000);
