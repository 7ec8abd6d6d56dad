import type { DeliveryContext } from '@millrace/nestjs';

/** Header of an order that no handler can handle. */
const POISON = 'shop-poison';

export const poisonHeaders: Readonly<Record<string, string>> = { [POISON]: 'yes' };

/** Stands for a defect that an order brings out in every handler of it, at every attempt. */
export class PoisonError extends Error {
  constructor(messageId: string) {
    super(`the order in message ${messageId} is poison: it can never be handled`);
    this.name = 'PoisonError';
  }
}

/** The headers that make an order poison, when there are such among those of the call that placed it. */
export function poisonAmong(headers: DeliveryContext['headers']): Readonly<Record<string, string>> {
  return headers[POISON] === undefined ? {} : poisonHeaders;
}

/** @throws PoisonError when the order is poison */
export function refusePoison(context: Pick<DeliveryContext, 'headers' | 'messageId'>): void {
  if (context.headers[POISON] !== undefined) throw new PoisonError(context.messageId);
}
