import { MillraceError } from '@millrace/core';
import type { LimitRule } from './client-rules.js';
import { ended, type Outbound, type Policy } from './outbound.js';

interface Waiter {
  readonly most: number;
  readonly take: () => void;
}

/** The calls of one service that this process has in flight, and those that wait for their turn. */
export class InFlight {
  #count = 0;
  readonly #waiting = new Set<Waiter>();

  get count(): number {
    return this.#count;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  enter(): void {
    this.#count += 1;
  }

  /** The first that waits has the place from now on, unless its client may have no more in flight than there are. */
  leave(): void {
    this.#count -= 1;
    for (const waiter of this.#waiting) {
      if (this.#count >= waiter.most) continue;
      this.#waiting.delete(waiter);
      this.#count += 1;
      waiter.take();
      return;
    }
  }

  /**
   * @param most how many calls its client may have in flight
   * @returns whether the call has its turn: not when its time was over, or its caller gave it up
   */
  async turn(outbound: Outbound, most: number): Promise<boolean> {
    let take!: () => void;
    let hasTurn = false;
    const turn = new Promise<void>((resolve) => {
      take = () => {
        hasTurn = true;
        resolve();
      };
    });
    const waiter = { most, take };
    this.#waiting.add(waiter);
    await outbound.wait(turn);
    this.#waiting.delete(waiter);
    return hasTurn;
  }
}

/** Rejects calls, or lets them wait, while as many are in flight as may be. */
export function limiting(inFlight: InFlight, rule: LimitRule): Policy {
  return (next) => {
    const sent = (outbound: Outbound): Promise<string | null> => ended(next(outbound), () => inFlight.leave());
    return (outbound) => {
      if (inFlight.count >= rule.maxInFlight) return queued(outbound);
      inFlight.enter();
      return sent(outbound);
    };

    async function queued(outbound: Outbound): Promise<string | null> {
      if (inFlight.waiting >= rule.maxQueued) throw tooMany(outbound, rule);
      const hasTurn = await inFlight.turn(outbound, rule.maxInFlight);
      outbound.shorten();
      if (hasTurn) return sent(outbound);
      // Its sender says that it was given up.
      if (outbound.call.signal?.aborted) return next(outbound);
      throw tooMany(outbound, rule);
    }
  };
}

function tooMany({ call }: Outbound, { maxInFlight, maxQueued }: LimitRule): MillraceError {
  const waiting = maxQueued === 0 ? '' : ', and its turn did not come';
  return new MillraceError(
    'BACK_PRESSURE',
    `The call of '${call.method}' of service '${call.service}' was not sent: this process has ${maxInFlight} calls of it in flight${waiting}. ` +
      'Call again when some have ended, or raise maxInFlight of the client.',
    { retryable: true },
  );
}
