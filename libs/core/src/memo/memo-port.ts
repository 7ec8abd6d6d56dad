/** Remembers the results of the steps of pieces of work, as texts. */
export interface MemoPort {
  /** The results that are stored of one piece of work, by the names of its steps. */
  read(id: string): Promise<ReadonlyMap<string, string>>;
  /**
   * Stores the result of a step, unless it has one.
   *
   * @returns the result that counts
   * @throws MillraceError MEMO_FULL the work has too many steps already
   */
  store(id: string, step: string, result: string): Promise<string>;
  /** Drops the results of work that is settled. It does not wait for that, and what it cannot drop expires. */
  forget(id: string): void;
}

/** Most steps of one piece of work whose results are kept. */
export const MOST_STEPS = 100;
