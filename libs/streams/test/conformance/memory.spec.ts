import { expect, it } from '@jest/globals';
import { CONFORMANCE_CASES, TypeScriptChild } from '@millrace/testing';

interface Ran {
  readonly name: string;
  readonly why: string | null;
}

it('the streams on a Redis in memory keep the promises of the ports, in virtual time', async () => {
  const child = new TypeScriptChild(new URL('./fixtures/in-virtual-time.ts', import.meta.url));
  const expected = CONFORMANCE_CASES.filter(({ needs }) => !needs.includes('persistsAcrossRestart'));
  const ran: Ran[] = [];
  while (ran.length < expected.length) ran.push(JSON.parse(await child.line()) as Ran);
  expect(ran.filter(({ why }) => why !== null)).toEqual([]);
  expect(ran.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  expect(await child.ended).toEqual({ code: 0, signal: null });
});
