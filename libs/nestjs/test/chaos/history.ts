/** An effect of an order in the user's database, written by a process. */
export interface Effect {
  /** `reserved` and `shipped` with the inbox, `mailed` with the ledger, `numbered` and `invoiced` as steps of a handler. */
  readonly kind: 'reserved' | 'shipped' | 'mailed' | 'numbered' | 'invoiced';
  readonly order: number;
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A process was killed, stood still, or could not reach Redis. Milliseconds since 1970. */
export interface Strike {
  readonly pid: number;
  readonly from: number;
  readonly to: number;
}

/** A process knows that an effect outside of a transaction is marked as done. Milliseconds since 1970. */
export interface Mark {
  readonly kind: Effect['kind'];
  readonly order: number;
  readonly at: number;
}

/** All that a run of the mode `transactions` has left. */
export interface History {
  /** Orders whose transactions took effect. */
  readonly placed: readonly number[];
  /** The order of each message in the log of the topic `chaos.orders.placed`. */
  readonly published: readonly number[];
  /** The order of each message in the log of `chaos.orders.reserved`. */
  readonly forwarded: readonly number[];
  readonly effects: readonly Effect[];
  readonly marks: readonly Mark[];
  readonly strikes: readonly Strike[];
  /** Processes that were killed, or killed themselves. */
  readonly killed: number;
  /** Points that no process came to in time, so that none died there. */
  readonly missed: readonly string[];
  /** Half messages, rows of the outbox, messages of groups and of forward logs that were left in the end. */
  readonly left: { readonly halves: number; readonly rows: number; readonly unhandled: number; readonly unforwarded: number };
  readonly deadLetters: number;
  /** Processes that were asked to stop and ended with an error. */
  readonly badExits: number;
}
