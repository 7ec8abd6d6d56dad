/** The part of a member that reads. */
export interface Fetching {
  start(): void;
  /** Stops for good. Resolves when no read is under way any more and all entries are taken in. */
  stop(): Promise<void>;
  /** Stops without waiting for a read that is under way. */
  abandon(): void;
  /** Resolves when no read is under way and all entries are taken in. None begins while there is no free slot. */
  rest(): Promise<void>;
  /** Why nothing is read, or null while all is well. */
  problem(): string | null;
  /** When the last round of reading ended with nothing wrong, in Unix milliseconds; 0 before the first. */
  readonly polledAtMs: number;
  /** Reports a problem until the next read succeeds; all streams are to be read then. */
  lostSight(why: string): void;
}
