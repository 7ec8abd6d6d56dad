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
  @IsOptional() @IsString() text?: string;
}

export function mails(count: number): { payload: Mail }[] {
  return Array.from({ length: count }, (_, number) => ({ payload: { number } }));
}

/** Colours, a title, a link, directions and lines steer a terminal; nobody sees the fillers, the tag and the selector. */
export const HOSTILE = 'a\u001B[31mred\u001B]0;title\u0007\u001B]8;;http://evil.example\u001B\\link\u202Egnp.exe\u2066\u200B\r\nb\u009B2J\u0085\u2028end\u3164\u2800\u115F\u034F\u{E0041}\uFE0F';

/** Characters that move a terminal or are not seen, but for the ends of lines. */
export const STEERING = /[^\P{C}\n]|[\u2028\u2029\u2800\p{Default_Ignorable_Code_Point}]/u;
