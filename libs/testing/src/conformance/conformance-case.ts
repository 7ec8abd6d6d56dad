import type { ConformanceFeature } from './features.js';
import type { Stage } from './stage.js';

/** A promise of the ports, as a test. */
export interface Case {
  /** A whole sentence. */
  readonly name: string;
  readonly needs: readonly ConformanceFeature[];
  /** Rejects when the promise is broken. */
  readonly run: (stage: Stage) => Promise<void>;
}
