import { type DeliveryContext, exponential, JobQueue, Subscribe } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { OrderPlaced } from '../contracts/order-placed.js';
import { SendConfirmation } from '../contracts/send-confirmation.js';
import { refusePoison } from '../placement/poison.js';

/** Has a confirmation sent for each order. The idempotency key makes it one job, however often the order is delivered. */
@Injectable()
export class Notifications {
  readonly #jobs: JobQueue;

  constructor(jobs: JobQueue) {
    this.#jobs = jobs;
  }

  @Subscribe(OrderPlaced, { group: 'notifications', retry: { attempts: 5, backoff: exponential('200ms', { max: '2s' }) } })
  async placed({ invoice, customerId }: OrderPlaced, context: DeliveryContext): Promise<void> {
    refusePoison(context);
    await this.#jobs.enqueue(SendConfirmation, { invoice, customerId }, { idempotencyKey: invoice });
  }
}
