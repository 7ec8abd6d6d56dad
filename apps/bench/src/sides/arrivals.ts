import { nowUs, type Order } from '../order.js';
import { percentile } from '../statistics.js';
import type { Arrival, Handled } from './messages.js';

/** Counts messages up to the number that is waited for, and keeps how long each took. */
export class Arrivals {
  #latencies: number[] = [];
  #count = 0;
  #firstAt = 0;
  #lastAt = 0;
  #done: () => void = () => undefined;
  #all: Promise<void> = Promise.resolve();

  /** Counts anew, up to `count`. */
  arm(count: number): void {
    this.#latencies = [];
    this.#count = count;
    this.#all = new Promise((resolve) => (this.#done = resolve));
  }

  readonly handled = ({ sentAt }: Pick<Order, 'sentAt'>): void => {
    this.#lastAt = nowUs();
    if (this.#latencies.length === 0) this.#firstAt = this.#lastAt;
    if (this.#latencies.push(this.#lastAt - sentAt) === this.#count) this.#done();
  };

  get soFar(): Handled {
    return { count: this.#latencies.length, lastAt: this.#lastAt };
  }

  /** Resolves when all have come. */
  async all(): Promise<Arrival> {
    await this.#all;
    const latencies = this.#latencies.slice(0, this.#count);
    const [p50 = 0, p95 = 0, p99 = 0, max = 0] = [50, 95, 99, 100].map((percent) => percentile(latencies, percent));
    return { firstAt: this.#firstAt, at: this.#lastAt, p50, p95, p99, max };
  }
}
