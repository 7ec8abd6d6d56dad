import { Topic } from '@millrace/nestjs';
import { Invoice } from './invoice.js';

@Topic<OrderCancelled>('shop.orders.cancelled', { partitions: 3, key: (order) => order.customerId ?? order.invoice })
export class OrderCancelled extends Invoice {}
