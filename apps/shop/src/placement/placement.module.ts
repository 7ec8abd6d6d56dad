import { MillraceModule } from '@millrace/nestjs';
import { Module } from '@nestjs/common';
import { CheckoutApi } from '../contracts/checkout-api.js';
import { OrderPlacement } from './order-placement.js';

@Module({
  imports: [MillraceModule.forFeature([CheckoutApi])],
  providers: [OrderPlacement],
  exports: [OrderPlacement],
})
export class PlacementModule {}
