import { setTimeout as pause } from 'node:timers/promises';
import { generateOrders, type Invoice } from '../orders/generate-orders.js';
import { invoiceLine } from '../orders/invoice-line.js';
import { formatThousandths } from '../orders/money.js';
import { OrderBook } from '../orders/order-book.js';
import { isCancellation, type Order } from '../orders/order.js';
import { readEffects } from './effects.js';
import type { Observation } from './observer.js';
import type { Stage } from './stage.js';
import { workDone } from './work.js';

const PAUSE_MS = 500;
const DRAIN_MS = 10_000;
const DRAIN_ROUND_MS = 100;
/** Far from the numbers of generated and of real orders. */
const FIRST_INVOICE = 10_000_001;

/** Trade after the replay: a generated order every half second, until someone stops it. */
export class Trade {
  /** Orders and cancellations that were placed. */
  readonly orders: Order[] = [];
  readonly #stage: Stage;
  readonly #invoices: Generator<Invoice>;

  constructor(stage: Stage, seed: number) {
    this.#stage = stage;
    this.#invoices = generateOrders(seed, { firstInvoice: FIRST_INVOICE });
  }

  /**
   * Places orders until the signal aborts, then waits up to 10 seconds until they are handled.
   *
   * @throws what publishing or observing throws, CLOSED when a worker ended by itself
   */
  async run(signal: AbortSignal): Promise<Observation> {
    for (const invoice of this.#invoices) {
      if (signal.aborted) break;
      this.#stage.pool?.assertWell();
      await this.#place(invoice);
      await this.#show();
      await pauseUnless(signal);
    }
    this.#stage.terminal.say('the shop closes: what was placed is handled first');
    return this.#drain();
  }

  /** The orders among them. */
  get placed(): number {
    return this.orders.filter((order) => !isCancellation(order)).length;
  }

  async #place(rows: Invoice): Promise<void> {
    const book = new OrderBook();
    for (const line of rows.map(invoiceLine)) if ('line' in line) book.add(line);
    for (const order of book.orders()) {
      await this.#stage.replay.place({ order, poison: false });
      this.orders.push(order);
    }
  }

  async #show(): Promise<void> {
    const { observer, replay, database, terminal } = this.#stage;
    const { groups, mails } = await observer.observe();
    const { revenue, units } = await readEffects(database);
    const handled = Object.entries(groups).map(([group, state]) => `${group} ${state?.handled ?? '?'}`);
    const published = `published ${replay.published}`;
    const figures = [published, ...handled, `mailed ${mails}`, `${units} units for ${formatThousandths(revenue)}`];
    terminal.progress(null, [`${figures.join(', ')} (Ctrl-C ends it)`, `${published}, mailed ${mails} (Ctrl-C ends it)`]);
  }

  async #drain(): Promise<Observation> {
    const until = performance.now() + DRAIN_MS;
    for (;;) {
      const observation = await this.#stage.observer.observe();
      if (workDone(observation, this.#stage.replay).idle || performance.now() > until) return observation;
      await pause(DRAIN_ROUND_MS);
    }
  }
}

async function pauseUnless(signal: AbortSignal): Promise<void> {
  try {
    await pause(PAUSE_MS, undefined, { signal });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}
