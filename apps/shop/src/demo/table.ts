import { counted } from './counted.js';
import { PROCESS_KINDS } from './process-kind.js';
import type { GroupFigures, Report } from './report.js';

const FIGURES: readonly (readonly [name: string, figure: keyof GroupFigures])[] = [
  ['handled', 'handled'],
  ['redelivered', 'redelivered'],
  ['deduplicated', 'deduplicated'],
  ['retried', 'retried'],
  ['dead letters', 'deadLettered'],
  ['lag', 'lag'],
];

/** Figures that the report of `--json` does not have. */
export interface BesideReport {
  readonly mails: { readonly expected: number };
  /** The sum of the charges that must be there, as the report gives it. */
  readonly charges: string;
}

/** The report for people: the effects of the handlers beside the totals of the files. It fits 60 columns. */
export function tableOf(report: Report, { mails, charges }: BesideReport): string {
  const once = report.mails.sent - report.mails.again;
  const totals = columns([
    ['', 'by the handlers', 'from the files', ''],
    ['revenue', report.revenue, report.expected.revenue, same(report.revenue, report.expected.revenue)],
    ['units', `${report.units}`, `${report.expected.units}`, same(report.units, report.expected.units)],
    ['charged', report.calls.charged, charges, same(report.calls.charged, charges)],
    ['mails', `${once}`, `${mails.expected}`, same(once, mails.expected)],
  ]);
  const groups = columns([
    ['group', ...Object.keys(report.groups)],
    ...FIGURES.map(([name, figure]) => [name, ...Object.values(report.groups).map((figures) => `${figures[figure] ?? '?'}`)]),
  ]);
  const queues = columns([
    ['queue', 'completed', 'failed'],
    ...Object.entries(report.jobs).map(([queue, { completed, failed }]) => [queue, `${completed}`, `${failed}`]),
  ]);
  const last = [
    ...orderIn(report),
    `${counted(report.calls.failed, 'invoice')} not placed, ${counted(report.calls.duplicates, 'order')} charged twice`,
    ...(report.mails.again > 0 ? [`${counted(report.mails.again, 'mail')} sent again`] : []),
    `${report.published} published, ${report.duplicates} more answered as duplicates`,
    `killed: ${PROCESS_KINDS.map((kind) => `${kind} ${report.killed[kind]}`).join(', ')}`,
    `seed ${report.seed}, ${(report.elapsedMs / 1_000).toFixed(1)} s`,
  ];
  return [totals, groups, queues, last.join('\n')].join('\n\n');
}

function orderIn({ order }: Report): string[] {
  if (!order) return [];
  const { messages, disordered } = order;
  return [`order of ${messages} messages checked, ${counted(disordered, 'customer')} out of order`];
}

function same(a: unknown, b: unknown): string {
  return a === b ? 'the same' : 'DIFFERENT';
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('   ').trimEnd()).join('\n');
}

/** Names to the left, figures to the right. */
function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
