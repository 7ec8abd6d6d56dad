import type { LedgerUse } from '@millrace/core';
import { Ledger, type LedgerOptions } from '@millrace/ledger';
import type { Connections } from './connections.js';

type Holder = LedgerUse['holder'];
type Bounds = Pick<LedgerOptions, 'keepMs' | 'workMs' | 'maxResultBytes' | 'maxEntries'>;

/** The ledgers of one part of this process, by their scopes, and the member that holds the entries of all of them. */
export class LedgerShelf {
  readonly #connections: Connections;
  readonly #prefix: string;
  readonly #ledgers = new Map<string, Ledger>();
  #holder: Promise<Holder> | null = null;

  constructor(connections: Connections, prefix: string) {
    this.#connections = connections;
    this.#prefix = prefix;
  }

  /** Those that were asked for. */
  get ledgers(): ReadonlyMap<string, Ledger> {
    return this.#ledgers;
  }

  /**
   * @param bounds of the ledger; they count when its scope is asked for the first time
   * @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED, INVALID_OPTIONS, CLOSED
   */
  async of(scope: string, bounds: Bounds): Promise<{ readonly ledger: Ledger; readonly holder: Holder }> {
    const [redis, { presence }] = [await this.#connections.redis(), await this.#connections.streams()];
    const holder = await this.#joined();
    const ledger = this.#ledgers.get(scope) ?? new Ledger({ redis, presence, prefix: this.#prefix, scope, ...bounds });
    this.#ledgers.set(scope, ledger);
    return { ledger, holder };
  }

  /** Called when nothing begins any more: what could not be released is left to others. */
  async stop(): Promise<void> {
    const holder = await this.#holder?.catch(() => null);
    await Promise.all([...this.#ledgers.values()].map((ledger) => ledger.stop()));
    if (holder) await this.#connections.openStreams?.presence.left(holder.member).catch(() => undefined);
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
    return { member: await presence.join(), get isSure() { return presence.isSure; } };
  }
}
