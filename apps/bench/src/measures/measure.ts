import type { Row } from '../report/row.js';
import type { Stage } from '../stage.js';

/** Something that is measured of Millrace alone. */
export interface Measure {
  readonly name: string;
  /** About how long it takes at default sizes on two busy cores. */
  readonly seconds: number;
  /** Yields each row when it is known, so that the first rows stay when a later one fails. */
  run(stage: Stage): AsyncIterable<Row>;
}
