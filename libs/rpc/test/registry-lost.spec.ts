import { describe, expect, it } from '@jest/globals';
import { registryKeys } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, RpcGround, serve } from './rpc-ground.js';

/** Far longer than a test: an instance does not register again by itself. */
const NEVER_MS = 3_600_000;
/** Lost instances are kept for three of them. */
const CALLER_POLL_MS = 2_000;

const ground = new RpcGround('registry-lost');

describe('calls while the registry is lost', () => {
  it('are answered by the instances that are known, also when others register again before them', async () => {
    const [server, other] = [await ground.start({ registryPollMs: NEVER_MS }), await ground.start({ registryPollMs: NEVER_MS })];
    const caller = await ground.start({ registryPollMs: CALLER_POLL_MS });
    await serve(server, { echo: async ({ payload }) => payload });
    const ends: string[] = [];
    let isOver = false;
    const calling = (async () => {
      while (!isOver) ends.push(await call(caller, 'echo').then(() => 'answered', (error: unknown) => (error as { code: string }).code));
    })();
    const { instances, state } = registryKeys(ground.prefix);
    const view = caller.rpc.instances;
    const readAgain = async (): Promise<void> => {
      const [{ reads }, { length }] = [view.counters, ends];
      await waitFor(() => view.counters.reads > reads, { what: 'the caller to read the registry' });
      await waitFor(() => ends.length > length + 20, { what: 'more calls' });
    };
    await waitFor(() => ends.length > 20, { what: 'calls' });
    await ground.command('DEL', instances, state);
    await readAgain();
    // Others are back before.
    const [made] = await Promise.all([serve(other, { echo: async () => null }, { version: '2' }), readAgain()]);
    expect(await ground.command('HKEYS', instances)).toEqual([expect.stringContaining(made.member)]);
    isOver = true;
    await calling;
    expect(new Set(ends)).toEqual(new Set(['answered']));
  });
});
