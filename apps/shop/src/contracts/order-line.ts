import { IsInt, IsString, Length } from 'class-validator';

export class OrderLine {
  @IsString() @Length(1, 128)
  stockCode!: string;

  /** Pieces; negative for what came back, or was written off. */
  @IsInt()
  quantity!: number;

  /** Thousandths; zero for gifts and write-offs, negative for bad debts. */
  @IsInt()
  unitPrice!: number;
}
