import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import type { Report } from '../src/report/report.js';

const MAIN = fileURLToPath(new URL('../../../dist/apps/bench/src/main.js', import.meta.url));

async function bench(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: build it with npm run build.`);
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}

describe('npm run bench', () => {
  it('measures a contender and writes one JSON document', async () => {
    const { code, stdout, stderr } = await bench('--only', 'pub/sub', '--size', '1000', '--rounds', '1', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('round 1 of 1') });
    const { contenders, machine, missing } = JSON.parse(stdout) as Report;
    expect(missing).toEqual([]);
    expect(machine.node).toBe(process.version);
    const [{ name, skipped, perSecond, cpu, latency }] = contenders as [Report['contenders'][number]];
    expect({ name, skipped }).toEqual({ name: 'raw pub/sub', skipped: null });
    expect(perSecond).toBeGreaterThan(0);
    for (const side of ['producer', 'consumer', 'server'] as const) expect(cpu?.[side]).toBeGreaterThan(0);
    for (const rate of ['500', '5000']) expect(latency[rate]!.p99).toBeGreaterThanOrEqual(latency[rate]!.p50);
  });

  it('refuses names that nothing has, and tells those that there are', async () => {
    const { code, stderr } = await bench('--only', 'pubsub');
    expect(code).toBe(2);
    expect(stderr).toContain('raw pub/sub');
    expect(stderr).toContain('waiting retries');
  });
});
