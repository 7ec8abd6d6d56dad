import type { Baseline } from './baseline.js';
import type { ContenderFigures } from './contender-figures.js';
import type { Report } from './report.js';
import type { Row } from './row.js';

/** The report for people. */
export function tables({ rows, contenders, machine, missing }: Report, baseline: Baseline | null): string {
  const { node, cores, model, memoryGiB, load } = machine;
  return [
    `${node}, ${cores} cores of ${model}, ${memoryGiB} GiB, load ${load.join(' -> ')}`,
    ...(contenders.length > 0 ? ['', ...table(contenderLines(contenders))] : []),
    ...(rows.length > 0 ? ['', ...table(rowLines(rows, baseline))] : []),
    ...missing.map((what) => `MISSING ${what}`),
    '',
  ].join('\n');
}

function contenderLines(contenders: readonly ContenderFigures[]): string[][] {
  const head = ['contender', 'messages/s', 'us a message: producer', 'consumer', 'server', 'total', 'p50/p99/max us at 500/s', 'at 5000/s'];
  return [head, ...contenders.map(contenderLine)];
}

function contenderLine({ name, skipped, perSecond, cpu, latency }: ContenderFigures): string[] {
  if (!cpu) return [name, `skipped: ${skipped?.split('\n')[0] ?? 'no time'}`];
  const times = ['500', '5000'].map((rate) => {
    const at = latency[rate];
    return at ? [at.p50, at.p99, at.max].join('/') : '';
  });
  return [name, String(perSecond), ...[cpu.producer, cpu.consumer, cpu.server, cpu.total].map(String), ...times];
}

function rowLines(rows: readonly Row[], baseline: Baseline | null): string[][] {
  const head = ['figure', 'value', 'unit', 'target', 'holds', ...(baseline ? ['before'] : [])];
  return [head, ...rows.map((row) => rowLine(row, baseline))];
}

function rowLine({ name, value, unit, target, holds }: Row, baseline: Baseline | null): string[] {
  const before = baseline ? [String(baseline.get(name) ?? '')] : [];
  return [name, String(value), unit, target ?? '', holds === null ? '' : holds ? 'yes' : 'NO', ...before];
}

/** Columns as wide as their widest cell; a short line's last cell may run on. */
function table(lines: readonly string[][]): string[] {
  const full = lines.filter(({ length }) => length === lines[0]!.length);
  const widths = lines[0]!.map((_, column) => Math.max(...full.map((cells) => cells[column]!.length)));
  return lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
}
