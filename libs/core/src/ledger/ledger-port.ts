/** The answer to one who wants to begin an entry. */
export type Begun =
  /** It is in progress for the caller, who completes or releases it with the token. */
  | { readonly kind: 'mine'; readonly token: string }
  /** It is in progress elsewhere; ask again after so many milliseconds. */
  | { readonly kind: 'busy'; readonly retryMs: number }
  /** It was done before, with this result; with `tooLarge` the result was not kept, and is the empty text here. */
  | { readonly kind: 'done'; readonly result: string; readonly tooLarge?: true };

/** Remembers which pieces of work are in progress and which are done, so that none takes effect twice. */
export interface LedgerPort {
  /**
   * Begins an entry, unless it is in progress elsewhere or done.
   *
   * @param id up to 300 bytes
   * @param holder the member that does the work; its presence must be sure
   * @throws MillraceError LEDGER_FULL there are too many entries, and nothing was begun
   */
  begin(id: string, holder: string): Promise<Begun>;
  /** Resolves true when the entry is done; false when it is in progress under this token no more, and nothing is recorded. */
  complete(id: string, token: string, result: string): Promise<boolean>;
  /**
   * The entry is as if it had not been begun, unless it is not in progress under this token any more. It is released later where
   * this rejects.
   */
  release(id: string, token: string): Promise<void>;
}

/** How many entries a ledger has. */
export interface LedgerSize {
  readonly inProgress: number;
  /** Those that are kept no longer count until they are removed. */
  readonly done: number;
}

/** How often this process has done something with a ledger since it was made. */
export interface LedgerCounters {
  /** Entries begun; some of them `takenOver` from a holder that had died or left. */
  readonly begun: number;
  readonly takenOver: number;
  /** Begins that were answered with `busy`, and with `done`. */
  readonly busy: number;
  readonly repeated: number;
  /** Begins that were refused, since there were too many entries. */
  readonly full: number;
  /** Entries completed, and results that were too large to be kept with theirs. */
  readonly completed: number;
  readonly tooLarge: number;
  /** Completions that were refused, since the entry was not in progress under their token any more. */
  readonly fenced: number;
  readonly released: number;
  /** Calls that were rejected. */
  readonly failed: number;
}
