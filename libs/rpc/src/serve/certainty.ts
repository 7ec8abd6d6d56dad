import type { PresencePort } from '@millrace/core';

/** The circumstances of a read. */
export interface ReadOrigin {
  /** Whether an instance that is gone may have begun what was read. */
  readonly takenOver: boolean;
  /** The {@link Certainty.epoch} in which the read was sent: its reply may come much later, to a process that stood still. */
  readonly readIn: number;
}

/** Knows whether other instances may have taken over requests that this one holds, as its process was silent meanwhile. */
export class Certainty {
  readonly #presence: Pick<PresencePort, 'isSure'>;
  #epoch = 0;

  constructor(presence: Pick<PresencePort, 'isSure'>) {
    this.#presence = presence;
  }

  /** Grows when others may have taken over what was read before. */
  get epoch(): number {
    return this.#epoch;
  }

  get isSure(): boolean {
    return this.#presence.isSure;
  }

  lost(): void {
    this.#epoch += 1;
  }
}
