import { MillraceModule } from '@millrace/nestjs';
import { Module } from '@nestjs/common';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { OrderPlacement } from './order-placement.js';

@Module({
  imports: [MillraceModule.forFeature([OrderPlaced, OrderCancelled])],
  providers: [OrderPlacement],
  exports: [OrderPlacement],
})
export class PlacementModule {}
