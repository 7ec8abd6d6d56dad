import { Inject, Injectable } from '@nestjs/common';
import { LateRecords, type Ledger } from '@millrace/ledger';
import type { Settings } from '../../config/settings.js';
import { Connections } from '../../module/connections.js';
import { LedgerShelf } from '../../module/ledger-shelf.js';
import { SETTINGS } from '../../module/tokens.js';
import { MOST_BYTES } from './answer.js';

/** A request that this process may execute now, and nobody else. */
export interface Turn {
  /** Resolves when the answer is kept, or Redis cannot be reached: then it is tried on. */
  readonly complete: (answer: string) => Promise<void>;
  /** Resolves when the key is free again, or Redis cannot be reached: then it is tried on. */
  readonly release: () => Promise<void>;
}

/** Names a request in the ledger of its route. */
export interface RequestEntry {
  /** Letters, digits, `.`, `_`, `-` and `:`. */
  readonly route: string;
  readonly keepMs: number;
  readonly id: string;
}

export type Place =
  | { readonly kind: 'mine'; readonly turn: Turn }
  | { readonly kind: 'busy' }
  | { readonly kind: 'done'; readonly result: string };

/** How long a stop waits for answers that Redis has not taken. */
const LAST_RECORDS_MS = 1_000;

/** The ledgers of the routes that have `@Idempotent`. */
@Injectable()
export class RequestLedgers {
  readonly #shelf: LedgerShelf;
  readonly #application: string;
  readonly #records = new LateRecords('http-ledger');

  constructor(connections: Connections, @Inject(SETTINGS) { prefix, application }: Settings) {
    this.#shelf = new LedgerShelf(connections, prefix);
    this.#application = application;
  }

  /** @throws MillraceError nothing was begun, or it is not known, and is released then */
  async begin({ route, keepMs, id }: RequestEntry): Promise<Place> {
    const { ledger, holder } = await this.#shelf.of(`http:${this.#application}:${route}`, { keepMs, maxResultBytes: MOST_BYTES });
    const begun = await ledger.begin(id, holder.member);
    if (begun.kind !== 'mine') return begun;
    const turn = this.#turnOf(ledger, id, begun.token);
    if (holder.isSure) return { kind: 'mine', turn };
    // Others may take this process for dead, and execute it.
    await turn.release();
    return { kind: 'busy' };
  }

  /** Waits a second for answers that are not kept yet. */
  async stop(): Promise<void> {
    const limit = setTimeout(() => this.#records.abandon(), LAST_RECORDS_MS);
    await this.#records.flushed();
    clearTimeout(limit);
    await this.#shelf.stop();
  }

  #turnOf(ledger: Ledger, id: string, token: string): Turn {
    return {
      complete: (answer) => this.#records.recorded(() => ledger.complete(id, token, answer)),
      release: () => this.#records.recorded(() => ledger.release(id, token)),
    };
  }
}
