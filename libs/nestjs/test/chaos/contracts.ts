import { Topic } from '@millrace/nestjs';
import { IsInt } from 'class-validator';

/** An order by its number. */
@Topic('chaos.orders.placed', { partitions: 4 })
export class OrderPlaced {
  @IsInt() order!: number;
}

/** Published by the handler that reserves an order, and visible when that has settled its own message. */
@Topic('chaos.orders.reserved', { partitions: 4 })
export class OrderReserved {
  @IsInt() order!: number;
}
