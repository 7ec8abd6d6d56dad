import { SeededRandom } from '../random/seeded-random.js';
import { type Article, catalogue } from './catalogue.js';
import type { Row } from './columns.js';

/** The rows of one made-up invoice. */
export type Invoice = readonly Row[];

export interface GenerateOptions {
  /** Orders; cancellations come on top. Default: no end. */
  readonly count?: number;
  /** Default 700001. */
  readonly firstInvoice?: number;
}

const FIRST_MINUTE = Date.UTC(2024, 0, 8, 8);
const COUNTRIES = ['United Kingdom', 'United Kingdom', 'United Kingdom', 'France', 'Germany', 'EIRE', 'Norway'] as const;
const CANCELLED = 0.12;

/**
 * Makes orders up, in the columns of real ones and with their oddities: empty customers, gifts at no price, write-offs with
 * negative quantities, bad debts with negative prices on invoices that begin with A. Some orders are cancelled, whole or
 * in part, by an invoice that begins with C and comes on top of the count. The same seed makes the same orders.
 */
export function* generateOrders(seed: number, options: GenerateOptions = {}): Generator<Invoice> {
  const { count = Number.POSITIVE_INFINITY, firstInvoice = 700_001 } = options;
  const generator = new OrderGenerator(new SeededRandom(seed, 'orders'), firstInvoice);
  for (let index = 0; index < count; index += 1) {
    const order = generator.order(index);
    yield order;
    if (generator.isCancelled(index)) yield generator.cancellation(order);
  }
}

type Common = Pick<Row, 'InvoiceNo' | 'InvoiceDate' | 'CustomerID' | 'Country'>;

class OrderGenerator {
  readonly #random: SeededRandom;
  readonly #articles: readonly [Article, ...Article[]];
  #nextInvoice: number;
  #minutes = 0;

  constructor(random: SeededRandom, firstInvoice: number) {
    this.#random = random;
    this.#nextInvoice = firstInvoice;
    this.#articles = catalogue(random, 300);
  }

  order(index: number): Invoice {
    if (index % 29 === 11) return [this.#writeOff()];
    if (index % 43 === 17) return [this.#badDebt()];
    return this.#sale(index % 97 === 23 ? 120 : this.#random.integer(1, 14));
  }

  /** Whether the order is cancelled; only sales are. */
  isCancelled(index: number): boolean {
    return index % 29 !== 11 && index % 43 !== 17 && (index % 31 === 5 || this.#random.chance(CANCELLED));
  }

  /** Takes some lines of an order back. */
  cancellation(order: Invoice): Invoice {
    const common = this.#common('C');
    const returned = this.#random.sample(order, this.#random.integer(1, order.length));
    return returned.map((row) => ({ ...row, InvoiceNo: common.InvoiceNo, InvoiceDate: common.InvoiceDate, Quantity: `-${row.Quantity}` }));
  }

  #sale(lines: number): Invoice {
    const common = this.#common('');
    return Array.from({ length: lines }, () => {
      const { stockCode, description, unitPrice } = this.#random.pick(this.#articles);
      const UnitPrice = this.#random.chance(0.02) ? '0.0' : unitPrice;
      return { ...common, StockCode: stockCode, Description: description, Quantity: `${this.#quantity()}`, UnitPrice };
    });
  }

  #writeOff(): Row {
    const { stockCode } = this.#random.pick(this.#articles);
    const nobody = { ...this.#common(''), CustomerID: '', Country: 'United Kingdom' };
    return { ...nobody, StockCode: stockCode, Description: '', Quantity: `-${this.#quantity()}`, UnitPrice: '0.0' };
  }

  #badDebt(): Row {
    const nobody = { ...this.#common('A'), CustomerID: '', Country: 'United Kingdom' };
    const UnitPrice = `-${this.#random.integer(1_000, 20_000)}.${this.#random.integer(10, 99)}`;
    return { ...nobody, StockCode: 'B', Description: 'Adjust bad debt', Quantity: '1', UnitPrice };
  }

  #common(letter: '' | 'A' | 'C'): Common {
    const invoice = this.#nextInvoice;
    this.#nextInvoice += 1;
    this.#minutes += this.#random.integer(1, 9);
    return {
      InvoiceNo: `${letter}${invoice}`,
      InvoiceDate: new Date(FIRST_MINUTE + this.#minutes * 60_000).toISOString().replace('T', ' ').slice(0, 19),
      CustomerID: this.#random.chance(0.35) ? '' : `${this.#random.integer(12_346, 12_700)}.0`,
      Country: this.#random.pick(COUNTRIES),
    };
  }

  #quantity(): number {
    return this.#random.chance(0.05) ? this.#random.integer(100, 3_000) : this.#random.integer(1, 48);
  }
}
