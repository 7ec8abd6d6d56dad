import type { Machine } from './machine.js';
import type { Record } from './match/match.js';
import { contenderFigures, type ContenderFigures } from './report/contender-figures.js';
import { ratioRows } from './report/ratio-rows.js';
import type { Report } from './report/report.js';
import type { Row } from './report/row.js';

/** Gathers the figures of the parts of a run, so that a part that fails half way keeps its rows. */
export class ReportBuilder {
  readonly missing: string[] = [];
  readonly #rows: Row[] = [];
  #contenders: ContenderFigures[] = [];

  add(row: Row): void {
    this.#rows.push(row);
  }

  addMatch(records: readonly Record[]): void {
    this.#contenders = records.map(contenderFigures);
    this.#rows.push(...ratioRows(records));
    for (const { spec, skipped } of records) if (skipped !== null) this.missing.push(`${spec.name}: ${skipped}`);
  }

  report(machine: Machine): Report {
    return { rows: this.#rows, contenders: this.#contenders, machine };
  }
}
