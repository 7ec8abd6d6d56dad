import { afterEach, expect, it } from '@jest/globals';
import { TypeScriptChild } from '@millrace/testing';

/** MILLRACE_SEED is the first, MILLRACE_SIMULATIONS says how many. */
const SEEDS = Number(process.env['MILLRACE_SIMULATIONS'] ?? 200);
const from = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

interface Report {
  readonly failures: readonly { readonly seed: number; readonly broken: readonly string[] }[];
  readonly lastHash: string;
}

const children: TypeScriptChild[] = [];
afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

async function simulated(...args: (string | number)[]): Promise<{ report: Report; code: number | null }> {
  const child = new TypeScriptChild(new URL('../src/main.ts', import.meta.url), { args: [...args.map(String), '--json'] });
  children.push(child);
  const report = JSON.parse(await child.line()) as Report;
  return { report, code: (await child.ended).code };
}

it.each(['shared', 'ordered'])(`keeps all promises in %s mode, and does the same twice (${SEEDS} seeds from ${from})`, async (mode) => {
  const { report, code } = await simulated('--mode', mode, '--seeds', SEEDS, '--from', from);
  expect(report.failures).toEqual([]);
  expect(code).toBe(0);
}, 600_000);

it('does the same for a seed in another process, after other seeds, and something else for another seed', async () => {
  const [alone, after, workers, other] = await Promise.all([
    simulated('--seed', 11), simulated('--from', 9, '--seeds', 3), simulated('--from', 8, '--seeds', 4, '--workers', 2),
    simulated('--seed', 12),
  ]);
  expect(after.report.lastHash).toBe(alone.report.lastHash);
  expect(workers.report).toMatchObject({ seeds: 4, failures: [], lastHash: alone.report.lastHash });
  expect(other.report.lastHash).not.toBe(alone.report.lastHash);
}, 120_000);
