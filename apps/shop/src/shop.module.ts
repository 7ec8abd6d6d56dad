import { MillraceModule, type MillraceOptions, type OutboxOptions } from '@millrace/nestjs';
import { type DynamicModule, Module } from '@nestjs/common';
import { CheckoutModule } from './checkout/checkout.module.js';
import { InventoryModule, OrderedInventoryModule } from './inventory/inventory.module.js';
import { MailModule } from './mail/mail.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { PaymentsModule } from './payments/payments.module.js';
import { PlacementModule } from './placement/placement.module.js';

/** The outbox of the demo: its embedded database tells no relay of new rows, so that they are looked for often. */
export const OUTBOX = { poll: '100ms' } as const satisfies OutboxOptions;

/** The shop without its inventory, of which there are two. */
@Module({ imports: [PlacementModule, CheckoutModule, PaymentsModule, NotificationsModule, MailModule] })
export class ShopModule {
  /**
   * The whole shop; `options.handlers` or the environment selects the handlers that a process runs.
   *
   * @param ordered whether the inventory handles the orders of each customer one after the other
   */
  static with(options: MillraceOptions, ordered: boolean): DynamicModule {
    return { module: ShopModule, imports: [MillraceModule.forRoot(options), ordered ? OrderedInventoryModule : InventoryModule] };
  }
}
