import { describe, expect, it } from '@jest/globals';
import type { Effect, History } from './history.js';
import { isClean, type Verdict, verdictOn } from './verdict.js';

const KINDS: Effect['kind'][] = ['reserved', 'shipped', 'mailed', 'numbered', 'invoiced'];
const effectsOf = (order: number): Effect[] => KINDS.map((kind) => ({ kind, order, pid: 1, at: 20_000 }));
const GOOD: History = {
  placed: [2, 3], published: [2, 3], forwarded: [3, 2], effects: [...effectsOf(2), ...effectsOf(3)], marks: [],
  strikes: [{ pid: 1, from: 5_000, to: 17_000 }], killed: 1, missed: [],
  left: { halves: 0, rows: 0, unhandled: 0, unforwarded: 0 }, deadLetters: 0, badExits: 0,
};
const CLEAN: Verdict = {
  lost: 0, phantom: 0, doubled: 0, dupEffects: 0, halvesLeft: 0, stuck: 0, deadLetters: 0, badExits: 0, window: 0,
};

const twice = (kind: Effect['kind'], at: number): Partial<History> => ({ effects: [...GOOD.effects, { kind, order: 2, pid: 2, at }] });
const struckAt = (from: number, to: number): Partial<History> => ({ strikes: [{ pid: 1, from, to }] });
const killed = struckAt(21_000, 21_000);

const BAD: [string, Partial<History>, Partial<Verdict>][] = [
  ['a placed order without a message', { published: [3] }, { lost: 1 }],
  ['one whose message was never forwarded', { forwarded: [2] }, { lost: 1 }],
  ['one without an effect', { effects: GOOD.effects.slice(1) }, { lost: 1 }],
  ['a message of an order that was rolled back', { published: [2, 3, 4] }, { phantom: 1 }],
  ['a message that is stored twice', { published: [2, 3, 3] }, { doubled: 1 }],
  ['a message that is forwarded twice', { forwarded: [2, 2, 3] }, { doubled: 1 }],
  ['an effect that is there twice with the inbox, of a killed process, too', { ...twice('reserved', 23_000), ...killed }, { dupEffects: 1 }],
  ['an effect with the ledger that nothing explains', twice('mailed', 23_000), { dupEffects: 1 }],
  ['a step that nothing explains', twice('invoiced', 23_000), { dupEffects: 1 }],
  ['a repetition long after which its process was killed', { ...twice('mailed', 23_000), ...struckAt(31_000, 31_000) }, { dupEffects: 1 }],
  [
    'a repetition that began when the mark was known',
    { ...twice('mailed', 23_000), ...killed, marks: [{ kind: 'mailed', order: 2, at: 22_900 }] },
    { dupEffects: 1 },
  ],
  ['a half message that is left', { left: { ...GOOD.left, halves: 2 } }, { halvesLeft: 2 }],
  ['rows, messages and forwards that are left', { left: { halves: 0, rows: 1, unhandled: 1, unforwarded: 1 } }, { stuck: 3 }],
  ['a dead letter', { deadLetters: 1 }, { deadLetters: 1 }],
  ['a process that ended with an error', { badExits: 1 }, { badExits: 1 }],
];

describe('the verdict on transactions', () => {
  it('is clean when all that was placed was published and handled once', () => {
    expect(verdictOn(GOOD)).toEqual(CLEAN);
    expect(isClean(CLEAN)).toBe(true);
  });

  it.each(BAD)('tells of %s', (_, change, verdict) => {
    const found = verdictOn({ ...GOOD, ...change });
    expect(found).toEqual({ ...CLEAN, ...verdict });
    expect(isClean(found)).toBe(false);
  });

  it.each([
    ['after its process was killed', killed],
    ['whose process could not reach Redis', struckAt(19_000, 19_500)],
    ['that began before the mark was known', { ...killed, marks: [{ kind: 'mailed', order: 2, at: 23_100 } as const] }],
  ])('counts a repetition without the inbox, %s, as the window that is documented', (_, change) => {
    const found = verdictOn({ ...GOOD, ...twice('mailed', 23_000), ...change });
    expect(found).toEqual({ ...CLEAN, window: 1 });
    expect(isClean(found)).toBe(true);
  });
});
