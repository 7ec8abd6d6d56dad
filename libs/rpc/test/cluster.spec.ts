import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LocalCluster, onServer, serverBinaries, slotOf } from '@millrace/redis';
import { cancellationChannel, instanceCancellationChannel } from '@millrace/rpc';
import { expectNoChildren, uniqueName, waitFor } from '@millrace/testing';
import { call, failureOf, gate, LEASE_MS, serve, SERVICE, untilAborted } from './rpc-ground.js';
import { type RpcProcess, startRpcProcess } from './rpc-process.js';

describe('a call in a Redis Cluster that its caller cancels', () => {
  const processes: RpcProcess[] = [];
  let cluster: LocalCluster;

  beforeAll(async () => {
    const [binary] = (await serverBinaries()) as [string];
    cluster = await LocalCluster.start({ binary, replicas: 0 });
  });
  afterEach(() => Promise.all(processes.splice(0).map((process) => process.stop())));
  afterAll(async () => {
    await cluster.stop();
    await expectNoChildren();
  });

  async function start(prefix: string): Promise<RpcProcess> {
    const process = await startRpcProcess({ target: { url: cluster.urls[0]! }, prefix, leaseMs: LEASE_MS });
    processes.push(process);
    return process;
  }

  async function listeners(channel: string): Promise<number> {
    const node = await cluster.primaryOf(slotOf(channel));
    const [, count] = (await onServer(node, (run) => run('PUBSUB', 'SHARDNUMSUB', channel))) as [string, number];
    return count;
  }

  it.each(['any instance', 'one instance'] as const)('has its signal aborted when %s has begun it', async (kind) => {
    const prefix = uniqueName('cancels');
    const [server, caller] = [await start(prefix), await start(prefix)];
    const begun = gate();
    let isAborted = false;
    const { member } = await serve(server, { hang: untilAborted(begun.open, () => void (isAborted = true)) });
    for (const channel of [cancellationChannel(prefix, SERVICE), instanceCancellationChannel(prefix, member)]) {
      await waitFor(async () => (await listeners(channel)) === 1, { what: `the instance to listen in ${channel}` });
    }
    const giveUp = new AbortController();
    const target = kind === 'one instance' ? { instance: member } : {};
    // Its deadline, which would abort the signal as well, is far.
    const calling = failureOf(call(caller, 'hang', { ...target, signal: giveUp.signal, timeoutMs: 3_600_000 }));
    await begun.promise;
    giveUp.abort();
    expect(await calling).toMatchObject({ code: 'CALL_CANCELLED' });
    await waitFor(() => isAborted, { what: 'the signal to abort' });
  });
});
