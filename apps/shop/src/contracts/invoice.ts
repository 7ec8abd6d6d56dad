import { Type } from 'class-transformer';
import { IsArray, IsOptional, IsString, Length, ValidateNested } from 'class-validator';
import { OrderLine } from './order-line.js';

/** The common part of the messages about orders. */
export abstract class Invoice {
  @IsString() @Length(1, 64)
  invoice!: string;

  /** Null when the shop does not know who bought. */
  @IsOptional() @IsString() @Length(1, 128)
  customerId!: string | null;

  @IsString() @Length(0, 128)
  country!: string;

  @IsString() @Length(1, 128)
  placedAt!: string;

  @IsArray() @ValidateNested({ each: true }) @Type(() => OrderLine)
  lines!: OrderLine[];
}
