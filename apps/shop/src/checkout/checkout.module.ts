import { MillraceModule } from '@millrace/nestjs';
import { Module } from '@nestjs/common';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { PaymentsApi } from '../contracts/payments-api.js';
import { Cashier } from './cashier.js';
import { Checkout } from './checkout.js';

@Module({
  imports: [MillraceModule.forFeature([OrderPlaced, OrderCancelled, PaymentsApi])],
  providers: [Cashier, Checkout],
})
export class CheckoutModule {}
