/** A stream of requests, as far as their ends concern it. */
export interface SettledStream {
  readonly key: string;
  /** The request is settled. */
  letGo(entryId: string): void;
}

/** The end of a request: it leaves its stream, and its answer, if there is one, goes to an inbox. */
export interface Settlement {
  readonly stream: SettledStream;
  readonly entryId: string;
  /** The {@link Certainty.epoch} in which it was read. */
  readonly readIn: number;
  /** Member name of the caller; '' for no answer. */
  readonly inbox: string;
  readonly field: string;
  readonly value: string;
}

/** The end of an entry that nobody waits for. */
export function dropped(stream: SettledStream, entryId: string, readIn: number): Settlement {
  return { stream, entryId, readIn, inbox: '', field: '', value: '' };
}
