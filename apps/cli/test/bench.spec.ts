import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { CliBed } from './cli-bed.js';

const bed = new CliBed('bench', { isShared: true });

/** A process may take so long to start, on a busy machine. */
const START_MS = 40_000;

const KINDS = ['pub', 'sub', 'rpc', 'jobs'] as const;

function keys(): Promise<unknown> {
  return bed.command('KEYS', '*-bench-*');
}

describe('millrace bench', () => {
  it.each(KINDS)('measures %s, and leaves no key of its own, and all others', async (kind) => {
    await bed.command('SET', 'other', '1');
    const figures = await bed.json(['bench', kind, '--messages', '300', '--size', '50', '--execute']);
    expect(figures).toMatchObject({ apiVersion: 1, kind, messages: 300, size: 50, inFlight: 64 });
    for (const name of ['seconds', 'perSecond', 'p50Ms', 'cpuMicros']) expect(figures[name]).toBeGreaterThan(0);
    const [p50, p95, p99] = ['p50Ms', 'p95Ms', 'p99Ms'].map((name) => figures[name] as number);
    expect([p50, p95, p99].sort((a, b) => a! - b!)).toEqual([p50, p95, p99]);
    expect(await keys()).toEqual([]);
    expect(await bed.command('GET', 'other')).toBe('1');
  });

  it.each(KINDS)('leaves no key of %s after Ctrl-C', async (kind) => {
    const child = bed.start(['bench', kind, '--messages', '1000000', '--execute']);
    await waitFor(async () => ((await keys()) as string[]).length > 1, { what: 'keys to be there', timeoutMs: START_MS });
    child.process.kill('SIGINT');
    expect(await child.ended).toEqual({ code: 130, signal: null });
    expect(await keys()).toEqual([]);
  });

  it('tells of the figures in a table, and that they say little', async () => {
    const { code, stdout, stderr } = await bed.run(['bench', 'pub', '--messages', '10', '--execute']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^messages +10$/m);
    expect(stdout).toMatch(/^p99 ms +[\d.]+$/m);
    expect(stderr).toMatch(/It writes under the prefix \S+-bench-\S+,[^]*Figures of one process/);
  });

  it('writes nothing without --execute, and measures no server', async () => {
    const { code, stdout, stderr } = await bed.run(['bench', 'jobs']);
    expect({ code, stdout }).toEqual({ code: 4, stdout: expect.stringMatching(/^messages +10,000$/m) as unknown });
    expect(stderr).toContain('run: millrace bench jobs --execute');
    expect(await keys()).toEqual([]);
    expect(await bed.run(['bench', 'pub', '--execute', '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Say --redis') as unknown });
    expect(await bed.run(['bench', 'pub', '--execute', '--redis', 'redis://127.0.0.1:1'])).toMatchObject({ code: 5 });
    expect(await bed.run(['bench', 'pub', '--messages', '0', '--execute'])).toMatchObject({ code: 2 });
    const large = ['--messages', '100000', '--size', '100000'];
    expect(await bed.run(['bench', 'pub', ...large, '--execute'])).toMatchObject({ code: 2, stderr: expect.stringContaining('more than 1 GiB') as unknown });
  });
});
