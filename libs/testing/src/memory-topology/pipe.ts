import type { After, PacketFate } from './network.js';

interface Sent {
  hasArrived: boolean;
  readonly work: () => void;
}

/** One direction of a connection: packets arrive in the order in which they were sent, whatever their delays. */
export class Pipe {
  readonly #after: After;
  readonly #lost: () => void;
  #packets: Sent[] = [];
  #isBroken = false;

  /** @param lost called in the place of a packet that is lost */
  constructor(after: After, lost: () => void) {
    this.#after = after;
    this.#lost = lost;
  }

  send(fate: PacketFate, arrived: () => void): void {
    if (this.#isBroken) return;
    if (fate === 'silent') {
      // Nothing passes it; those before it do.
      this.#packets.push({ hasArrived: false, work: arrived });
      return;
    }
    const packet: Sent = { hasArrived: false, work: fate === 'lost' ? this.#lost : arrived };
    this.#packets.push(packet);
    this.#after(fate === 'lost' ? 0 : fate, () => {
      packet.hasArrived = true;
      this.#deliver();
    });
  }

  /** Nothing arrives any more. */
  break(): void {
    this.#isBroken = true;
    this.#packets = [];
  }

  #deliver(): void {
    while (this.#packets[0]?.hasArrived) this.#packets.shift()!.work();
  }
}
