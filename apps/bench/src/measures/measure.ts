import type { Row } from '../report/row.js';
import type { Stage } from '../stage.js';

/** Something that is measured of Millrace alone. */
export interface Measure {
  readonly name: string;
  run(stage: Stage): Promise<Row[]>;
}
