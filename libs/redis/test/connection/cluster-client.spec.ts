import { expect, it } from '@jest/globals';
import { LocalCluster } from '@millrace/redis';
import { testBinary, TypeScriptChild } from '@millrace/testing';

it('a client of a Cluster that is disconnected while it asks for the slots leaves nothing open', async () => {
  const cluster = await LocalCluster.start({ binary: await testBinary(), primaries: 1, replicas: 0 });
  try {
    const args = [`127.0.0.1:${cluster.nodes[0]!.port}`];
    const child = new TypeScriptChild(new URL('./fixtures/disconnect-while-looking.ts', import.meta.url), { args });
    expect(await child.line()).toBe('disconnected');
    expect(await child.ended).toEqual({ code: 0, signal: null });
  } finally {
    await cluster.stop();
  }
});
