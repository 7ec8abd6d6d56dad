/** A difference between two documents. */
export interface Change {
  /** `breaking`: messages or readers of before do not fit any more. */
  readonly kind: 'breaking' | 'compatible';
  /** The topic, the type and the properties: `shop.orders/payload/lines[]/item`. */
  readonly path: string;
  /** A sentence without its end. */
  readonly what: string;
}

/** A change at one place. */
export type Told = Omit<Change, 'path'>;
