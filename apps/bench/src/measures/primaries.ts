import { topicOf } from '@millrace/core';
import { slotOf } from '@millrace/redis';
import { topicsOf } from '../contenders/millrace.js';
import { row, type Row } from '../report/row.js';
import { runRounds } from '../rounds.js';
import { startCluster } from '../servers/own-cluster.js';
import { startRedis } from '../servers/own-redis.js';
import type { Stage } from '../stage.js';
import { median } from '../statistics.js';
import { Crowd, type CrowdRun, type CrowdServers, sum } from './crowd.js';
import type { Measure } from './measure.js';

const PRIMARIES = 3;
const SETTINGS = { partitions: 12, members: 2 };
/** The share of a round that does not count. Before each turn: processes that wait for theirs cool down. */
const WARM_UP = 0.25;

type Servers = CrowdServers & { stop(): Promise<void> };

/**
 * The same load on one server and on a Cluster whose primaries have as many partitions each. All of them share the cores of this
 * machine, so that throughput says little: what a message costs each server says what as many machines would carry.
 */
export const primaries: Measure = {
  name: 'primaries',
  seconds: 90,
  async *run(stage) {
    const [one, three]: [CrowdRun[], CrowdRun[]] = [[], []];
    await onBoth(stage, async (onOne, onThree) => {
      const turns = [() => measured(stage, onOne, one), () => measured(stage, onThree, three)];
      await runRounds(stage, stage.options.rounds, async (number) => {
        for (const turn of number % 2 === 1 ? turns : turns.toReversed()) await turn();
      });
    });
    yield* rowsOf(one, three);
  },
};

function rowsOf(one: readonly CrowdRun[], three: readonly CrowdRun[]): Row[] {
  const compared = (name: string, unit: string, of: (run: CrowdRun) => number): Row[] => [
    row(`${name}, one primary`, median(one.map(of)), { unit }),
    row(`${name}, ${PRIMARIES} primaries`, median(three.map(of)), { unit }),
    row(`${name}, ${PRIMARIES} primaries / one`, median(three.map((run, round) => of(run) / of(one[round]!))), { unit: 'x' }),
  ];
  return [
    ...compared('messages a second', '/s', ({ perSecond }) => perSecond),
    ...compared('CPU a message of all clients', 'us', ({ clients }) => clients),
    ...compared('CPU a message of all primaries', 'us', ({ servers }) => sum(servers)),
    ...compared('CPU a message of the busiest primary', 'us', ({ servers }) => Math.max(...servers)),
    ...compared('messages a second that fill a core of the busiest primary', '/s', ({ servers }) => 1e6 / Math.max(...servers)),
  ];
}

async function measured(stage: Stage, crowd: Crowd, runs: CrowdRun[]): Promise<void> {
  const count = Math.ceil(stage.options.size / SETTINGS.members);
  await crowd.saturate(Math.ceil(count * WARM_UP));
  runs.push(await crowd.saturate(count));
}

async function onBoth(stage: Stage, work: (one: Crowd, three: Crowd) => Promise<void>): Promise<void> {
  const ends: (() => Promise<void>)[] = [];
  const crowdOn = async (servers: Servers | null): Promise<Crowd> => {
    if (!servers) throw new Error('No redis-server or valkey-server is on the PATH.');
    ends.unshift(() => servers.stop());
    const crowd = await Crowd.open(servers, SETTINGS, stage);
    ends.unshift(() => crowd.close());
    return crowd;
  };
  try {
    await work(await crowdOn(await oneServer()), await crowdOn(await startCluster(PRIMARIES, slots())));
  } finally {
    for (const end of ends) await end();
  }
}

/** Those of the partitions. Which node has which is a matter of luck, unless somebody moves them. */
function slots(): number[] {
  const [topic] = topicsOf(SETTINGS).map(topicOf);
  return Array.from({ length: SETTINGS.partitions }, (_, partition) => slotOf(`{${topic!.name}:${partition}}`));
}

async function oneServer(): Promise<Servers | null> {
  const server = await startRedis();
  return server && { url: server.url, pids: [server.pid], stop: () => server.stop() };
}
