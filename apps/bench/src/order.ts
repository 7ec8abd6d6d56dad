/** The payload of every contender; all write it as JSON and read it back. */
export interface Order {
  readonly orderId: string;
  readonly customerId: string;
  readonly item: string;
  readonly quantity: number;
  readonly price: number;
  /** {@link nowUs} when it was handed to the contender. */
  readonly sentAt: number;
  /** Fills the order up to its size. */
  readonly note: string;
}

const CUSTOMERS = 1_000;
const WITHOUT_NOTE = 120;

/** @param bytes about how long its JSON is */
export function order(number: number, bytes: number, customerId = `customer-${number % CUSTOMERS}`): Order {
  return {
    orderId: `order-${number}`,
    customerId,
    item: `85123A-${number % 97}`,
    quantity: 1 + (number % 12),
    price: 2.55,
    sentAt: nowUs(),
    note: noteOf(bytes),
  };
}

const notes = new Map<number, string>();

function noteOf(bytes: number): string {
  const note = notes.get(bytes) ?? 'n'.repeat(Math.max(1, bytes - WITHOUT_NOTE));
  notes.set(bytes, note);
  return note;
}

/** Whole microseconds of the machine's monotonic clock, which all processes read alike. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
