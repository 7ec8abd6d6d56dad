import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DeliveryContext, Halves, Inspector, MillraceModule, Outbox, Subscribe } from '@millrace/nestjs';
import type { ServerTarget } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { OrderPlaced, OrderReserved } from './contracts.js';
import type { History } from './history.js';
import type { ProcessPlan } from './plan.js';

const PATIENCE_MS = 120_000;
const GROUPS = { placed: ['inventory', 'dispatch', 'mail', 'billing', 'observer'], reserved: ['shipping', 'observer'] };

/** Reads the logs by groups of its own. A message is one place in a log, however often it is handed over. */
@Injectable()
class Readings {
  readonly placed = new Map<string, number>();
  readonly reserved = new Map<string, number>();

  @Subscribe(OrderPlaced, { group: 'observer' })
  onPlaced({ order }: OrderPlaced, { partition, offset }: DeliveryContext): void {
    this.placed.set(`${partition}:${offset}`, order);
  }

  @Subscribe(OrderReserved, { group: 'observer' })
  onReserved({ order }: OrderReserved, { partition, offset }: DeliveryContext): void {
    this.reserved.set(`${partition}:${offset}`, order);
  }
}

/** A process that lives through the whole run, and sees what is in Redis and in the outbox. */
export class Observer {
  readonly #app: INestApplicationContext;

  private constructor(app: INestApplicationContext) {
    this.#app = app;
  }

  static async start({ target, databaseUrl, prefix }: ProcessPlan & { readonly target: ServerTarget }): Promise<Observer> {
    @Module({
      imports: [MillraceModule.forRoot({ redis: target.url, database: databaseUrl, prefix, outbox: { relay: false } })],
      providers: [Readings],
    })
    class ObserverModule {}
    return new Observer(await NestFactory.createApplicationContext(ObserverModule, { logger: false }));
  }

  get published(): number[] {
    return [...this.#app.get(Readings).placed.values()];
  }

  get forwarded(): number[] {
    return [...this.#app.get(Readings).reserved.values()];
  }

  /** Waits until nothing is left, for two minutes at the most. */
  async left(): Promise<History['left']> {
    let left = await this.#look();
    const isEmpty = async (): Promise<boolean> => {
      left = await this.#look();
      return Object.values(left).every((count) => count === 0);
    };
    await waitFor(isEmpty, { what: 'nothing to be left', timeoutMs: PATIENCE_MS }).catch(() => undefined);
    return left;
  }

  async deadLetters(): Promise<number> {
    return (await this.#groups()).reduce((sum, { deadLettered }) => sum + deadLettered, 0);
  }

  async stop(): Promise<void> {
    await this.#app.close();
  }

  async #look(): Promise<History['left']> {
    const [halves, rows] = await Promise.all([this.#app.get(Halves).state(OrderPlaced), this.#app.get(Outbox).counts()]);
    const groups = await this.#groups();
    const sum = (name: 'lag' | 'forwarding'): number => groups.reduce((total, group) => total + group[name], 0);
    const { pending, waiting, dead } = rows;
    return { halves: halves.stored, rows: pending + waiting + dead, unhandled: sum('lag'), unforwarded: sum('forwarding') };
  }

  #groups(): Promise<Awaited<ReturnType<Inspector['group']>>[]> {
    const inspector = this.#app.get(Inspector);
    return Promise.all([
      ...GROUPS.placed.map((group) => inspector.group(OrderPlaced, group)),
      ...GROUPS.reserved.map((group) => inspector.group(OrderReserved, group)),
    ]);
  }
}
