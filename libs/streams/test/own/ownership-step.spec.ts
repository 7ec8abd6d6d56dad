import { describe, expect, it } from '@jest/globals';
import { LEAST_TENURE_MS, type Situation, stepFor, type Tenure } from '../../src/own/ownership-step.js';
import { StableView } from '../../src/own/stable-view.js';

const ME = 'host-1-0a1b2c3d4e5f.1';
const OTHER = 'host-2-0a1b2c3d4e5f.1';
const NOW_MS = 50_000;

const tenure = (state: Tenure['state'], sinceMs = 0): Tenure => ({ epoch: 7, sinceMs, state });
const record = (owner: string, epoch = '7'): Situation['record'] => ({ owner, epoch });

/** The step of a member, which is sure, about a free partition that is assigned to it; or about another one. */
function step(given: Partial<Situation> = {}): unknown {
  return stepFor({
    member: ME, tenure: null, record: record(''), isOwnerGone: false, assignee: ME, isSure: true, nowMs: NOW_MS, ...given,
  });
}

describe('a partition that is assigned to this member', () => {
  it.each([
    ['is free', {}, 'acquire'],
    ['never had an owner', { record: record('', '') }, 'acquire'],
    ["has a record that is damaged", { record: record(OTHER, 'seven') }, 'acquire'],
    ['is owned by a member that is gone', { record: record(OTHER), isOwnerGone: true }, 'acquire'],
    ['is owned by a member that lives', { record: record(OTHER) }, 'await'],
    ['names this member, who knows nothing of it', { record: record(ME) }, 'acquire'],
    ['is owned by this member', { record: record(ME), tenure: tenure('owned') }, 'keep'],
    ['is being drained since it was assigned to another', { record: record(ME), tenure: tenure('draining') }, 'await'],
    ['was drained', { record: record(ME), tenure: tenure('drained') }, 'release'],
  ])('%s', (_, given, kind) => {
    expect(step(given)).toEqual({ kind });
  });
});

describe('a member that others may take for dead', () => {
  it('acquires nothing: the owner may be gone by its own standstill alone', () => {
    expect(step({ record: record(OTHER), isOwnerGone: true, isSure: false })).toEqual({ kind: 'await' });
    expect(step({ isSure: false })).toEqual({ kind: 'await' });
  });
});

describe('a partition that is assigned to another member', () => {
  it.each([
    ['is free', {}, 'await'],
    ['is owned by a member that lives', { record: record(OTHER) }, 'keep'],
    ['is owned by a member that is gone', { record: record(OTHER), isOwnerGone: true }, 'await'],
    ['names this member, who knows nothing of it', { record: record(ME) }, 'release'],
    ['was owned for long enough', { record: record(ME), tenure: tenure('owned', NOW_MS - LEAST_TENURE_MS) }, 'revoke'],
    ['is being drained', { record: record(ME), tenure: tenure('draining') }, 'await'],
    ['was drained', { record: record(ME), tenure: tenure('drained') }, 'release'],
  ])('%s', (_, given, kind) => {
    expect(step({ ...given, assignee: OTHER })).toEqual({ kind });
  });

  it('is held for a while when it was acquired just now', () => {
    const just = { record: record(ME), tenure: tenure('owned', NOW_MS - 400), assignee: OTHER };
    expect(step(just)).toEqual({ kind: 'hold', forMs: LEAST_TENURE_MS - 400 });
  });
});

describe('a partition while members come and go', () => {
  it.each([
    ['is free', {}, 'keep'],
    ['is owned by this member', { record: record(ME), tenure: tenure('owned') }, 'keep'],
    ['names this member, who knows nothing of it', { record: record(ME) }, 'keep'],
    ['was drained', { record: record(ME), tenure: tenure('drained') }, 'release'],
  ])('%s', (_, given, kind) => {
    expect(step({ ...given, assignee: null })).toEqual({ kind });
  });
});

describe('a view of the members', () => {
  it('counts when it was the same for a beat, and up to half a beat more', () => {
    const [early, late] = [new StableView(300, () => 0), new StableView(300, () => 1)];
    expect([early.see(['a'], 1_000), late.see(['a'], 1_000)]).toEqual([300, 450]);
    expect([early.see(['a'], 1_299), late.see(['a'], 1_299)]).toEqual([1, 151]);
    expect([early.see(['a'], 1_300), late.see(['a'], 1_450)]).toEqual([0, 0]);
  });

  it('begins anew with each change, and with the first look', () => {
    const view = new StableView(300, () => 0);
    expect(view.see([], 0)).toBe(300);
    expect(view.see(['a'], 200)).toBe(300);
    expect(view.see(['a', 'b'], 400)).toBe(300);
    expect(view.see(['a', 'c'], 699)).toBe(300);
    expect(view.see(['a', 'c'], 999)).toBe(0);
    expect(view.members).toEqual(['a', 'c']);
  });
});
