import type { SqlDatabase } from '@millrace/outbox';
import type { Observer } from './observer.js';
import type { Replay } from './replay.js';
import type { Terminal } from './terminal.js';
import type { WorkerPool } from './worker-pool.js';

/** The means to lead and to watch a running shop. */
export interface Stage {
  readonly replay: Replay;
  readonly observer: Observer;
  readonly database: SqlDatabase;
  readonly terminal: Terminal;
  /** Null when this process runs the handlers. */
  readonly pool: WorkerPool | null;
}
