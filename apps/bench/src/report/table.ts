import { RATES } from '../match/match.js';
import type { Outcome } from '../run-bench.js';
import type { Baseline } from './baseline.js';
import type { ContenderFigures } from './contender-figures.js';
import type { Row } from './row.js';

/** The report for people. */
export function tables({ report: { rows, contenders, machine }, missing }: Outcome, baseline?: Baseline): string {
  const { node, cores, model, memoryGiB, load } = machine;
  return [
    `${node}, ${cores} cores of ${model}, ${memoryGiB} GiB, load ${load.join(' -> ')}`,
    ...(contenders.length > 0 ? ['', ...table(contenderLines(contenders))] : []),
    ...(rows.length > 0 ? ['', ...table(rowLines(rows, baseline))] : []),
    ...missing.map((why) => `MISSING ${why}`),
    '',
  ].join('\n');
}

function contenderLines(contenders: readonly ContenderFigures[]): string[][] {
  const head = ['contender', 'messages/s', 'us a message: producer', 'consumer', 'server', 'total', 'p50/p99/max us at 500/s', 'at 5000/s'];
  return [head, ...contenders.map(contenderLine)];
}

function contenderLine({ name, skipped, perSecond, cpu, latency }: ContenderFigures): string[] {
  if (!cpu) return [name, `skipped: ${skipped?.split('\n')[0] ?? 'no time'}`];
  const times = RATES.map((rate) => {
    const at = latency[String(rate)];
    return at ? [at.p50, at.p99, at.max].join('/') : '';
  });
  return [name, String(perSecond), ...[cpu.producer, cpu.consumer, cpu.server, cpu.total].map(String), ...times];
}

function rowLines(rows: readonly Row[], baseline: Baseline | undefined): string[][] {
  const head = ['figure', 'value', 'unit', 'target', 'holds', ...(baseline ? ['before', 'now / before'] : [])];
  return [head, ...rows.map((row) => rowLine(row, baseline))];
}

function rowLine({ name, value, unit, target, holds }: Row, baseline: Baseline | undefined): string[] {
  const verdict = holds === null ? '' : holds ? 'yes' : 'NO';
  return [name, String(value), unit, target ?? '', verdict, ...(baseline ? change(value, baseline.get(name)) : [])];
}

/** Empty for a figure that the earlier run does not have; without a ratio when it was 0. */
function change(value: number, before: number | undefined): [string, string] {
  if (before === undefined) return ['', ''];
  return [String(before), before === 0 ? '' : (value / before).toFixed(2)];
}

/** Columns as wide as their widest cell; a short line's last cell may run on. */
function table(lines: readonly string[][]): string[] {
  const full = lines.filter(({ length }) => length === lines[0]!.length);
  const widths = lines[0]!.map((_, column) => Math.max(...full.map((cells) => cells[column]!.length)));
  return lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
}
