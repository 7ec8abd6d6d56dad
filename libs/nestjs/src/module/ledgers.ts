import { Inject, Injectable } from '@nestjs/common';
import type { LedgerCounters, LedgerSize, LedgerUse, MemoPort } from '@millrace/core';
import { Memo } from '@millrace/ledger';
import type { Settings } from '../config/settings.js';
import type { IdempotencyRule } from '../subscribe/idempotency-options.js';
import { Connections } from './connections.js';
import { LedgerShelf } from './ledger-shelf.js';
import { SETTINGS } from './tokens.js';

/** The ledger of one handler with `idempotency`. */
export interface LedgerState extends LedgerSize {
  /** `topic:<topic>:<group>`, or `queue:<queue>:<job>`. */
  readonly scope: string;
  /** The deeds of this process. */
  readonly counters: LedgerCounters;
}

/** A handler that is at work for longer than that is taken for one that was forgotten, unless its `ttl` is longer. */
const LONGEST_WORK_MS = 86_400_000;

type Own = Pick<LedgerUse, 'ledger' | 'holder'>;

/** The ledgers of the handlers of this process with `idempotency`. */
@Injectable()
export class Ledgers {
  readonly #connections: Connections;
  readonly #prefix: string;
  readonly #shelf: LedgerShelf;

  constructor(connections: Connections, @Inject(SETTINGS) { prefix }: Settings) {
    this.#connections = connections;
    this.#prefix = prefix;
    this.#shelf = new LedgerShelf(connections, prefix);
  }

  /** How many entries each has, those of other processes included. */
  async states(): Promise<LedgerState[]> {
    return Promise.all([...this.#shelf.ledgers].map(async ([scope, ledger]) => {
      return { scope, ...(await ledger.size()), counters: { ...ledger.counters } };
    }));
  }

  /** The ledger of a handler, for this process. */
  async of<K>(scope: string, { keyOf, ...rule }: IdempotencyRule): Promise<Own & { readonly keyOf: K | undefined }> {
    const workMs = Math.max(rule.keepMs, LONGEST_WORK_MS);
    return { ...(await this.#shelf.of(scope, { ...rule, workMs })), keyOf: keyOf as K | undefined };
  }

  /** Remembers the steps of the handlers of one kind of work. */
  async memo(scope: string): Promise<MemoPort> {
    return new Memo({ redis: await this.#connections.redis(), prefix: this.#prefix, scope });
  }

  /** Called when the handlers have ended: what could not be released is left to others. */
  stop(): Promise<void> {
    return this.#shelf.stop();
  }
}
