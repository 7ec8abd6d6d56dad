import { Topic } from '@millrace/nestjs';
import { Invoice } from './invoice.js';

@Topic<OrderPlaced>('shop.orders.placed', { partitions: 6, key: (order) => order.customerId ?? order.invoice })
export class OrderPlaced extends Invoice {}
