import { Topic } from '@millrace/core';
import { IsInt, IsOptional, IsString } from 'class-validator';

@Topic<Order>('shop.orders', { key: ({ customer }) => customer, partitions: 3 })
export class Order {
  @IsInt() total!: number;
  @IsOptional() @IsString() customer?: string;
}

@Topic('shop.mails')
export class Mail {
  @IsInt() number!: number;
}

export function orders(count: number): { payload: Order }[] {
  return Array.from({ length: count }, (_, total) => ({ payload: { total, customer: `c-${total % 10}` } }));
}

export function mails(count: number): { payload: Mail }[] {
  return Array.from({ length: count }, (_, number) => ({ payload: { number } }));
}
