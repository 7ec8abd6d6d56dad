/** Most requests between two looks. */
const MOST = 256;
/** They may use so much of the room that a look found: other processes send, too. */
const SHARE = 0.01;
/** How long a look counts. */
const LASTS_MS = 1_000;

/** How many requests may be sent without a look at how many wait already. */
export class SendAllowance {
  #left = 0;
  #endsAtMs = 0;

  /** @returns whether one may be sent so; it counts as sent then */
  take(): boolean {
    if (this.#left === 0 || performance.now() > this.#endsAtMs) return false;
    this.#left -= 1;
    return true;
  }

  /**
   * @param room how many more requests there may be, as a look has found
   * @param lookedAtMs when the look was sent, by `performance.now()`
   */
  renew(room: number, lookedAtMs: number): void {
    this.#left = Math.min(Math.floor(room * SHARE), MOST);
    this.#endsAtMs = lookedAtMs + LASTS_MS;
  }
}
