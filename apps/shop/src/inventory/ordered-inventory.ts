import { type DeliveryContext, Subscribe } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { Inventory, SUBSCRIPTION } from './inventory.js';

const ORDERED = { ...SUBSCRIPTION, ordering: 'key' } as const;

const NOTE = 'INSERT INTO history (topic, customer, slot, position) VALUES ($1, $2, $3, $4)';

/** The inventory that handles the orders of each customer one after the other, and writes down in which order it did. */
@Injectable()
export class OrderedInventory extends Inventory {
  @Subscribe(OrderPlaced, ORDERED)
  override async placed(order: OrderPlaced, context: DeliveryContext): Promise<void> {
    await super.placed(order, context);
    await this.#note(context);
  }

  @Subscribe(OrderCancelled, ORDERED)
  override async cancelled(order: OrderCancelled, context: DeliveryContext): Promise<void> {
    await super.cancelled(order, context);
    await this.#note(context);
  }

  async #note({ topic, key, partition, offset, transaction }: DeliveryContext): Promise<void> {
    await transaction.query(NOTE, [topic, key, partition, offset]);
  }
}
