import type { StoredRow } from '../outbox/outbox-row.js';
import { type Outcome, publishRows, type RelayPorts } from './publication.js';
import { type AttemptRule, type Verdict, verdictOn } from './verdict.js';

/** A row that was not published, and its fate. */
export interface Failure {
  readonly row: StoredRow;
  readonly error: Error;
  readonly verdict: Verdict;
}

/** The outcome of a page: each of its rows stands in one of the lists, or was not tried. */
export interface PageResult {
  readonly published: readonly StoredRow[];
  readonly failures: readonly Failure[];
  /** Rows that stand behind one of their key that failed and is tried again. */
  readonly behind: readonly StoredRow[];
  /** Keys whose failed row is published or dead by now: the rows behind it may go. */
  readonly freed: readonly StoredRow[];
}

/** The rows of a page, all of lanes that this relay holds. */
export interface PageRows {
  /** By position. */
  readonly rows: readonly StoredRow[];
  /** Keys that wait for a row that failed, which is in the page only when it is due. */
  readonly waitingKeys: ReadonlySet<string>;
}

/** A key among all; null for a row without one, which waits for no other. */
export function keyOf({ kind, target, key }: Pick<StoredRow, 'kind' | 'target' | 'key'>): string | null {
  return key === null ? null : `${kind}\n${target}\n${key}`;
}

/**
 * Publishes the rows of a page. The rows of one key go one after the other, each once the one before it was confirmed: the ports
 * promise no order when some of many fail. The first rows of all keys go together, then the second ones.
 */
export class Page {
  readonly #queues = new Map<string, StoredRow[]>();
  readonly #waitingKeys: ReadonlySet<string>;
  readonly #published: StoredRow[] = [];
  readonly #failures: Failure[] = [];
  readonly #behind: StoredRow[] = [];
  readonly #freed: StoredRow[] = [];

  constructor({ rows, waitingKeys }: PageRows) {
    this.#waitingKeys = waitingKeys;
    for (const row of rows) this.#add(row);
    // Nothing goes ahead of a failed row of its key, however early it was written.
    for (const [name, queue] of this.#queues) if (waitingKeys.has(name)) this.#queues.set(name, queue.sort(failedFirst));
  }

  async publish(ports: RelayPorts, rule: AttemptRule, signal: AbortSignal): Promise<PageResult> {
    while (!signal.aborted) {
      const wave = this.#wave();
      if (wave.length === 0) break;
      for (const outcome of await publishRows(wave, ports)) this.#settle(outcome, rule);
    }
    return { published: this.#published, failures: this.#failures, behind: this.#behind, freed: this.#freed };
  }

  #add(row: StoredRow): void {
    const name = keyOf(row) ?? row.position;
    const queue = this.#queues.get(name);
    if (queue) queue.push(row);
    else this.#queues.set(name, [row]);
  }

  /** The next row of each key. */
  #wave(): StoredRow[] {
    const wave: StoredRow[] = [];
    for (const [name, queue] of this.#queues) {
      const [row] = queue;
      if (!row) this.#queues.delete(name);
      else if (row.state === 'pending' && this.#isBlocked(name)) this.#holdBack(name, queue);
      else wave.push(row);
    }
    return wave;
  }

  /** Its failed row is not due yet. */
  #isBlocked(name: string): boolean {
    return this.#waitingKeys.has(name) && !this.#freed.some((row) => keyOf(row) === name);
  }

  #holdBack(name: string, rows: readonly StoredRow[]): void {
    this.#behind.push(...rows);
    this.#queues.delete(name);
  }

  #settle({ row, error }: Outcome, rule: AttemptRule): void {
    const name = keyOf(row) ?? row.position;
    const queue = this.#queues.get(name) ?? [];
    if (error === null) {
      queue.shift();
      this.#published.push(row);
    } else {
      const verdict = verdictOn(error, row.attempts + 1, rule);
      this.#failures.push({ row, error, verdict });
      queue.shift();
      if (verdict.fate === 'retry') this.#holdBack(name, queue);
      if (verdict.fate !== 'dead') this.#queues.delete(name);
      if (verdict.fate !== 'dead') return;
    }
    if (row.state === 'waiting') this.#freed.push(row);
  }
}

function failedFirst(one: StoredRow, other: StoredRow): number {
  return Number(one.state === 'pending') - Number(other.state === 'pending');
}
