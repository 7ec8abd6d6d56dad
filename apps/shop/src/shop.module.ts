import { MillraceModule, type MillraceOptions } from '@millrace/nestjs';
import { type DynamicModule, Module } from '@nestjs/common';
import { InventoryModule } from './inventory/inventory.module.js';
import { MailModule } from './mail/mail.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { PlacementModule } from './placement/placement.module.js';

/** The whole shop; `options.handlers` or the environment selects the handlers that a process runs. */
@Module({ imports: [PlacementModule, InventoryModule, NotificationsModule, MailModule] })
export class ShopModule {
  static with(options: MillraceOptions): DynamicModule {
    return { module: ShopModule, imports: [MillraceModule.forRoot(options)] };
  }
}
