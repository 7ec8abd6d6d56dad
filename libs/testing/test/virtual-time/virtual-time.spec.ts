import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { TypeScriptChild } from '@millrace/testing';

const EPOCH_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

let child: TypeScriptChild;
const lines: unknown[] = [];

// A process of its own: the built-in functions of this one stay as they are.
beforeAll(async () => {
  child = new TypeScriptChild(new URL('./fixtures/actors.ts', import.meta.url));
  for (let line = 0; line < 5; line += 1) lines.push(JSON.parse(await child.line()));
  expect((await child.ended).code).toBe(0);
});
afterAll(() => child.kill());

it('lets timers, clocks and random numbers go by the virtual time', () => {
  const outside = (atMs: number, ...facts: unknown[]): unknown[] => ['outside', atMs, ...facts];
  expect(lines[0]).toEqual(['timers', [
    outside(0, 'immediate'),
    outside(0, 'promised immediate', EPOCH_MS, new Date(EPOCH_MS).toISOString(), 5, true),
    outside(5, 'timeout', 'an argument'),
    outside(100, 'interval'),
    outside(200, 'interval'),
    outside(HOUR_MS, 'an hour later', EPOCH_MS + HOUR_MS, expect.any(Number), expect.stringMatching(/^[0-9a-f]{8}$/), expect.any(String)),
    outside(HOUR_MS + 10, 'AbortError', 'The operation was aborted'),
    outside(HOUR_MS + 10, `Nothing is left to happen after ${HOUR_MS + 10} ms.`),
  ]]);
});

it('freezes one actor, kills another, and sets the wall clock of a third back', () => {
  expect(lines[1]).toEqual(['actors', [
    ['a', 10, 1, 10], ['b', 10, 1, 10], ['c', 10, 1, 10],
    ['c', 20, 2, 50_020], ['c', 30, 3, 50_030],
    ['a', 100, 2, 100], ['a', 110, 3, 110],
    ['outside', 110, 'Nothing is left to happen after 110 ms.'],
  ]]);
});

it('does the same for the same seed', () => {
  expect(lines.slice(2, 4)).toEqual(lines.slice(0, 2));
});

it('ends a run that takes too long', () => {
  expect(lines[4]).toBe('It is not over after 50 ms.');
});
