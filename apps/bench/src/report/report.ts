import type { Machine } from '../machine.js';
import type { ContenderFigures } from './contender-figures.js';
import type { Row } from './row.js';

/** The figures of a run, which `--json` writes and `--baseline` reads. */
export interface Report {
  readonly rows: readonly Row[];
  readonly contenders: readonly ContenderFigures[];
  readonly machine: Machine;
}
