import { expect } from '@jest/globals';
import { listen } from '@millrace/core';
import { registryKeys, type RegistryView } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { methodsWith } from './methods.js';
import { call, type RpcGround, SERVICE } from './rpc-ground.js';

const USER = 'caller';
const PAUSE_MS = 20;
/** A process that asks again and again, each time after a longer pause, is refused a few times a second at the most. */
const MOST_REFUSED_A_SECOND = 30;

/**
 * Calls go on while Redis refuses the registry to their caller for this long, and the caller sees afterwards what has changed
 * meanwhile: one instance has left, one has joined.
 */
export async function callWithoutRegistry(ground: RpcGround, awayMs: number): Promise<void> {
  const registry = registryKeys(ground.prefix);
  const others = ['rpc:prices:', 'rpc:inbox:', 'presence'].map((begin) => `~${ground.prefix}:{${begin}*`);
  const setUser = (...rules: string[]): Promise<unknown> =>
    ground.command('ACL', 'SETUSER', USER, 'on', '>secret', '+@all', 'resetkeys', 'resetchannels', ...rules);
  await setUser('allkeys', 'allchannels');
  const url = ground.server.url.replace('//', `//${USER}:secret@`);
  const [staying, leaving] = [await ground.start(), await ground.start()];
  const caller = await ground.start({ target: { url }, registryPollMs: 100 });
  const echo = async ({ payload }: { payload: string }): Promise<string> => payload;
  const definition = { ...SERVICE, concurrency: 4, methods: methodsWith(echo) };
  const [first, second] = [await staying.rpc.serve(definition), await leaving.rpc.serve(definition)];
  const { instances } = caller.rpc;
  await instances.use(SERVICE.service);
  expect(membersIn(instances)).toEqual([first.member, second.member].sort());
  expect(await call(caller, 'again')).toBe('1');

  await setUser(...others);
  await expect(instances.list()).rejects.toThrow(/NOPERM|permission/);
  const { reads } = instances.counters;
  let refused = 0;
  const using = instances.use('orders');
  const unlisten = listen('loop-failed', ({ loop }) => void (refused += loop === 'registry' ? 1 : 0));
  await second.stop(1_000);
  const third = await (await ground.start()).rpc.serve(definition);
  let made = 0;
  do {
    made += 1;
    expect(await call(caller, 'again', { payloadJson: `${made}` })).toBe(`${made}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  } while (instances.staleForMs < awayMs);
  unlisten();
  expect(refused).toBeLessThan((MOST_REFUSED_A_SECOND * awayMs) / 1_000);
  // It knew of no change, and called all the same.
  expect(instances.counters.reads).toBe(reads);
  expect(membersIn(instances)).toContain(first.member);
  expect(membersIn(instances)).not.toContain(third.member);

  await setUser('allkeys', 'allchannels');
  const sees = (): boolean => {
    expect(membersIn(instances)).toEqual([first.member, third.member].sort());
    return instances.staleForMs === 0;
  };
  await waitFor(sees, { what: 'what has changed to be seen', timeoutMs: 30_000 });
  await using;
  expect(await ground.command('EXISTS', registry.instances)).toBe(1);
  expect(await call(caller, 'again', { payloadJson: '"after"' })).toBe('"after"');
}

function membersIn(instances: RegistryView): string[] {
  return instances.instances(SERVICE).map(({ member }) => member);
}
