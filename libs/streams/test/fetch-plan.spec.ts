import { describe, expect, it } from '@jest/globals';
import { groupPartition, type GroupStream } from '../src/consume/group-partition.js';
import { FetchPlan } from '../src/read/fetch-plan.js';

const logs = Array.from({ length: 64 }, (_, partition) => groupPartition('p', { topic: 't', partition }, 'g').streams[0]);
const [busy] = logs as [GroupStream];
const START_MS = 10_000;

/** A plan that has read each stream once, and found messages in the busy one alone. */
function planOfOneBusy(): FetchPlan {
  const plan = new FetchPlan();
  turnsOf(plan, START_MS);
  for (const log of logs) if (log !== busy) plan.wasEmpty(log);
  plan.brought(busy, 1, 16);
  return plan;
}

function turnsOf(plan: FetchPlan, nowMs: number): GroupStream[] {
  return [...plan.inTurn(logs, nowMs)].map(({ stream }) => stream);
}

describe('streams that one read asks', () => {
  it('are read in turn as soon as such reads bring something within 5 ms of each other', () => {
    const plan = new FetchPlan();
    plan.broughtAll(1, 500, START_MS);
    expect(plan.areCalm).toBe(true);
    plan.broughtAll(1, 500, START_MS + 20);
    expect(plan.areCalm).toBe(true);
    plan.broughtAll(1, 500, START_MS + 22);
    expect(plan.areCalm).toBe(false);
    plan.broughtAll(0, 500, START_MS + 23);
    expect(plan.areCalm).toBe(true);
    plan.broughtAll(251, 500, START_MS + 100);
    expect(plan.areCalm).toBe(false);
  });
});

describe('streams that are read in turn', () => {
  it('are all read as long as none was empty', () => {
    expect(new Set(turnsOf(new FetchPlan(), START_MS))).toEqual(new Set(logs));
  });

  it('are the busy ones, and of the empty ones only so many that each comes within 200 ms', () => {
    const plan = planOfOneBusy();
    expect(turnsOf(plan, START_MS)).toEqual([busy]);
    const seen = new Set<GroupStream>();
    for (let nowMs = START_MS + 10; nowMs <= START_MS + 200; nowMs += 10) {
      const turns = turnsOf(plan, nowMs);
      expect(turns.at(-1)).toBe(busy);
      expect(turns.length).toBeLessThanOrEqual(1 + Math.ceil(63 / 20));
      for (const stream of turns) {
        seen.add(stream);
        if (stream !== busy) plan.wasEmpty(stream);
      }
    }
    expect(seen).toEqual(new Set(logs));
  });

  it('are all of them when the last round was long ago', () => {
    const plan = planOfOneBusy();
    expect(new Set(turnsOf(plan, START_MS + 1_000))).toEqual(new Set(logs));
  });

  it('are none of the empty ones that one read has just asked together with the others', () => {
    const plan = planOfOneBusy();
    plan.broughtAll(1, 500, START_MS + 1_000);
    expect(turnsOf(plan, START_MS + 1_000)).toEqual([busy]);
  });

  it('are those again that were empty, once somebody has rung for them or they brought something', () => {
    const plan = planOfOneBusy();
    plan.mayHave([logs[5]!]);
    plan.brought(logs[7]!, 1, 1);
    expect(new Set(turnsOf(plan, START_MS))).toEqual(new Set([busy, logs[5]!, logs[7]!]));
  });
});
