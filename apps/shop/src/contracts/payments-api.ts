import { type CallOptions, RpcContract } from '@millrace/nestjs';
import { IsString, Length, Matches } from 'class-validator';

/** Text, as sums may have more digits than a number of JavaScript: exact, three decimals. */
const MONEY = /^-?\d{1,27}\.\d{3}$/;

export class ChargeRequest {
  @IsString() @Length(1, 64)
  invoice!: string;

  /** Such as `'12.500'`; negative for a bad debt, zero for gifts and write-offs. */
  @Matches(MONEY)
  amount!: string;
}

export class ChargeResult {
  /** Names the one charge of the invoice. */
  @IsString() @Length(1, 64)
  chargeId!: string;
}

@RpcContract<PaymentsApi>('payments', {
  charge: { input: ChargeRequest, output: ChargeResult, timeout: '5s', idempotent: true },
})
export abstract class PaymentsApi {
  /** Charges an invoice once, however often it is asked to. It refuses an invoice that was charged another amount. */
  abstract charge(request: ChargeRequest, options?: CallOptions): Promise<ChargeResult>;
}
