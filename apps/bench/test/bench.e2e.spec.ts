import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Report } from '../src/report/report.js';

const MAIN = fileURLToPath(new URL('../../../dist/apps/bench/src/main.js', import.meta.url));
const LONG_MS = 180_000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const children: ChildProcess[] = [];

function begin(...args: string[]): ChildProcess {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: build it with npm run build.`);
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

/** @param told is called with each line of stderr */
async function end(child: ChildProcess, told: (line: string) => void = () => undefined): Promise<Ended> {
  const lines: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => {
    lines.push(line);
    told(line);
  });
  const [stdout] = await Promise.all([text(child.stdout!), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr: lines.join('\n') };
}

function bench(...args: string[]): Promise<Ended> {
  return end(begin(...args));
}

/** The Redis that this process has begun. */
function redisOf(parent: number): number {
  const found = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    const stat = existsSync(`/proc/${name}/stat`) ? readFileSync(`/proc/${name}/stat`, 'utf8') : '';
    return new RegExp(`\\((?:redis|valkey)-server\\) \\S ${parent} `).test(stat);
  });
  if (found === undefined) throw new Error(`process ${parent} has begun no Redis`);
  return Number(found);
}

const NOISE = /\[Nest\]|^\s+at |Unhandled/m;

describe('npm run bench', () => {
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  it('measures a contender and writes one JSON document', async () => {
    const { code, stdout, stderr } = await bench('--only', 'pub/sub', '--size', '1000', '--rounds', '1', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('round 1 of 1') });
    const report = JSON.parse(stdout) as Report;
    expect(Object.keys(report)).toEqual(['rows', 'contenders', 'machine']);
    expect(report.machine.node).toBe(process.version);
    const [{ name, skipped, perSecond, cpu, latency }] = report.contenders as [Report['contenders'][number]];
    expect({ name, skipped }).toEqual({ name: 'raw pub/sub', skipped: null });
    expect(perSecond).toBeGreaterThan(0);
    for (const side of ['producer', 'consumer', 'server'] as const) expect(cpu?.[side]).toBeGreaterThan(0);
    for (const rate of ['500', '5000']) expect(latency[rate]!.p99).toBeGreaterThanOrEqual(latency[rate]!.p50);
  });

  it('measures contenders that share a server, and a key for each message, without a word but its own', async () => {
    const only = 'rabbitmq,nest redis,millrace key';
    const { stdout, stderr } = await bench('--only', only, '--size', '500', '--rounds', '1', '--json');
    const { contenders } = JSON.parse(stdout) as Report;
    const absent = expect.stringContaining('no RabbitMQ answers') as unknown;
    const reasons = contenders.map(({ name, skipped }) => ({ name, skipped }));
    const rabbit = reasons.find(({ name }) => name === 'rabbitmq')?.skipped === null ? null : absent;
    expect(reasons).toEqual([
      { name: 'nest redis', skipped: null },
      { name: 'rabbitmq', skipped: rabbit },
      { name: 'millrace key', skipped: null },
      { name: 'rabbitmq 10 KB', skipped: rabbit },
    ]);
    expect(stderr).not.toMatch(NOISE);
  }, LONG_MS);

  it('leaves out a contender whose server has died, and says so in one line', async () => {
    const child = begin('--only', 'raw pub/sub', '--size', '1000000', '--rounds', '1');
    const { code, stdout, stderr } = await end(child, (line) => {
      if (line === 'bench: round 1 of 1, as fast as they can') process.kill(redisOf(child.pid!), 'SIGKILL');
    });
    expect(code).toBe(1);
    expect(stderr).not.toMatch(NOISE);
    expect(stdout).toMatch(/^MISSING raw pub\/sub: the (?:server with process id|producer of)/m);
  }, LONG_MS);

  it('measures the same load on one server and on a Cluster, of which each primary does a part', async () => {
    const { code, stdout, stderr } = await bench('--only', 'primaries', '--size', '2000', '--rounds', '1', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('bench: primaries') });
    const { rows } = JSON.parse(stdout) as Report;
    const figure = (asked: string): number => rows.find(({ name }) => name === asked)?.value ?? Number.NaN;
    expect(figure('messages a second, one primary')).toBeGreaterThan(0);
    expect(figure('CPU a message of all clients, 3 primaries')).toBeGreaterThan(0);
    const [busiest, all] = ['the busiest primary', 'all primaries'].map((which) => figure(`CPU a message of ${which}, 3 primaries`));
    // Each has a third of the partitions; one that had them all would do it all.
    expect(busiest! / all!).toBeLessThan(0.67);
    expect(stderr).not.toMatch(NOISE);
  }, LONG_MS);

  it('measures telemetry within one process, and what its checks cost while it is off', async () => {
    const { code, stdout, stderr } = await bench('--only', 'telemetry', '--size', '6000', '--rounds', '1', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('bench: telemetry') });
    const { rows } = JSON.parse(stdout) as Report;
    const figure = (asked: string): number => rows.find(({ name }) => name === asked)?.value ?? Number.NaN;
    for (const pair of ['telemetry off / off', 'metrics on / off']) {
      const [low, middle, high] = [', 95 % from', '', ', 95 % to'].map((end) => figure(`CPU a message: ${pair}${end}`)) as [number, number, number];
      expect([low > 0, low <= middle, middle <= high]).toEqual([true, true, true]);
    }
    expect(figure('telemetry off: checks a message')).toBeGreaterThan(4);
    expect(stderr).not.toMatch(NOISE);
  }, LONG_MS);

  it('refuses names that nothing has, and tells those that there are', async () => {
    const { code, stderr } = await bench('--only', 'pubsub');
    expect(code).toBe(2);
    expect(stderr).toContain('raw pub/sub');
    expect(stderr).toContain('waiting retries');
  });
});
