import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MillraceModule, Publisher, Subscribe } from '@millrace/nestjs';
import type { LocalServer } from '@millrace/redis';
import { ClusterSite, waitFor } from '@millrace/testing';
import { Journal, OrderPlaced } from './fixture.js';
import { Kept } from './kept.js';

const WAIT = { timeoutMs: 30_000 };

let site: ClusterSite;
beforeAll(async () => void (site = await ClusterSite.start({ appendonly: 'always' })));
afterAll(() => site.stop());

@Injectable()
class Handlers {
  readonly seen = new Journal();

  @Subscribe(OrderPlaced, { group: 'inventory' })
  placed(): void {
    this.seen.add('placed');
  }
}

it('tells of each node of a Cluster that is away, and when others have its slots, though a node that was lost never comes back', async () => {
  const kept = new Kept();
  const millrace = MillraceModule.forRoot({ redis: site.target as never, shutdownTimeout: '5s' });
  const app = await Test.createTestingModule({ imports: [millrace], providers: [Handlers] }).compile();
  app.useLogger(kept);
  await app.init();
  const told = (text: string, { port }: LocalServer): string[] =>
    kept.entries.filter((line) => line.includes(text) && line.includes(`127.0.0.1:${port}`));
  const isTold = (text: string, node: LocalServer): Promise<unknown> =>
    waitFor(() => told(text, node).length > 0, { what: `'${text}' of ${node.port}`, ...WAIT });
  const [first, second] = (await site.cluster.primaries()) as [LocalServer, LocalServer];
  const restOf = async (node: LocalServer): Promise<void> => {
    await isTold('there is no connection', node);
    await isTold('has no slots any more', node);
  };
  await first.kill();
  await restOf(first);
  await second.kill();
  await restOf(second);
  await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 }, { deadline: '30s' });
  await app.get(Handlers).seen.has(1);
  expect([first, second].map(({ isRunning }) => isRunning)).toEqual([false, false]);
  await app.close();
  const all = [first, second].flatMap((node) => [told('there is no connection', node), told('has no slots any more', node)]);
  expect(all.map((lines) => lines.length)).toEqual([1, 1, 1, 1]);
}, 120_000);

it('tells that a node of a Cluster is back, when no other had its slots', async () => {
  await site.stop();
  site = await ClusterSite.start({ replicas: 0, appendonly: 'always' });
  const kept = new Kept();
  const millrace = MillraceModule.forRoot({ redis: site.target as never, shutdownTimeout: '5s' });
  const app = await Test.createTestingModule({ imports: [millrace] }).compile();
  app.useLogger(kept);
  await app.init();
  const [node] = site.cluster.nodes as [LocalServer];
  await node.kill();
  await waitFor(() => kept.entries.some((line) => line.includes('there is no connection')), { what: 'the outage to be told', ...WAIT });
  await node.restart();
  await waitFor(() => kept.entries.some((line) => line.includes('is back after')), { what: 'the return to be told', ...WAIT });
  await app.close();
  const lines = kept.entries.filter((line) => /there is no connection|node .* is back|no slots/.test(line));
  expect(lines).toEqual([
    expect.stringMatching(`^warn there is no connection .*@127.0.0.1:${node.port} to Redis; trying again`),
    expect.stringMatching(`^warn the Redis node 127.0.0.1:${node.port} is back after `),
  ]);
}, 120_000);
