import { Inject, Injectable } from '@nestjs/common';
import type { Begun, PresencePort } from '@millrace/core';
import { LateRecords, Ledger } from '@millrace/ledger';
import type { Settings } from '../../config/settings.js';
import { Connections } from '../../module/connections.js';
import { SETTINGS } from '../../module/tokens.js';

/** A request that this process may execute now, and nobody else. */
export interface Turn {
  /** Resolves when the answer is kept, or Redis cannot be reached: then it is tried on. */
  readonly complete: (answer: string) => Promise<void>;
  /** The key is free again. */
  readonly release: () => void;
}

/** Names a request in the ledger of its route. */
export interface RequestEntry {
  /** Letters, digits, `.`, `_`, `-` and `:`. */
  readonly scope: string;
  readonly keepMs: number;
  readonly id: string;
}

export type Place = Exclude<Begun, { readonly kind: 'mine' }> | { readonly kind: 'mine'; readonly turn: Turn };

/** How long a stop waits for answers that Redis has not taken. */
const LAST_RECORDS_MS = 1_000;

/** The ledgers of the routes that have `@Idempotent`, and the member of this process that holds their entries. */
@Injectable()
export class RequestLedgers {
  readonly #connections: Connections;
  readonly #prefix: string;
  readonly #ledgers = new Map<string, Ledger>();
  readonly #records = new LateRecords('http-ledger');
  #holder: Promise<Holder> | null = null;

  constructor(connections: Connections, @Inject(SETTINGS) { prefix }: Settings) {
    this.#connections = connections;
    this.#prefix = prefix;
  }

  /** @throws MillraceError nothing was begun, or it is not known, and is released then */
  async begin({ scope, keepMs, id }: RequestEntry): Promise<Place> {
    const { member, presence } = await this.#joined();
    const ledger = await this.#ledgerOf(scope, keepMs);
    const begun = await ledger.begin(id, member);
    if (begun.kind !== 'mine') return begun;
    const turn = this.#turnOf(ledger, id, begun.token);
    if (presence.isSure) return { kind: 'mine', turn };
    // Others may take this process for dead, and execute it.
    turn.release();
    return { kind: 'busy', retryMs: presence.leaseMs };
  }

  /** Waits a second for answers that are not kept yet. */
  async stop(): Promise<void> {
    const limit = setTimeout(() => this.#records.abandon(), LAST_RECORDS_MS);
    await this.#records.flushed();
    clearTimeout(limit);
    await Promise.all([...this.#ledgers.values()].map((ledger) => ledger.stop()));
    const holder = await this.#holder?.catch(() => null);
    holder?.presence.departed(holder.member);
  }

  #turnOf(ledger: Ledger, id: string, token: string): Turn {
    return {
      complete: (answer) => this.#records.recorded(() => ledger.complete(id, token, answer)),
      release: () => void this.#records.recorded(() => ledger.release(id, token)),
    };
  }

  #joined(): Promise<Holder> {
    this.#holder ??= this.#join().catch((error: unknown) => {
      this.#holder = null;
      throw error;
    });
    return this.#holder;
  }

  async #join(): Promise<Holder> {
    const { presence } = await this.#connections.streams();
    return { presence, member: await presence.join() };
  }

  async #ledgerOf(scope: string, keepMs: number): Promise<Ledger> {
    const [redis, { presence }] = [await this.#connections.redis(), await this.#connections.streams()];
    const known = this.#ledgers.get(scope);
    if (known) return known;
    const ledger = new Ledger({ redis, presence, prefix: this.#prefix, scope, keepMs });
    this.#ledgers.set(scope, ledger);
    return ledger;
  }
}

interface Holder {
  readonly member: string;
  readonly presence: PresencePort;
}
