/** The variable that asks a worker process for the ordered inventory, by being there. */
export const ORDERED = 'SHOP_ORDERED';

/** A message from a worker process to the demo that started it. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  /** Messages of a group, or jobs of a queue, that a vanished worker held were taken over by this one. */
  | { readonly kind: 'reclaimed'; readonly from: string; readonly count: number };
