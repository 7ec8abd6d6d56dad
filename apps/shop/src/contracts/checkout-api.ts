import { type CallOptions, RpcContract } from '@millrace/nestjs';
import { IsBoolean } from 'class-validator';
import { Invoice } from './invoice.js';

export class PlaceRequest extends Invoice {}

export class PlaceResult {
  /** Whether another request had placed the invoice before. */
  @IsBoolean()
  duplicate!: boolean;
}

@RpcContract<CheckoutApi>('checkout', {
  place: { input: PlaceRequest, output: PlaceResult, timeout: '60s', idempotent: true },
})
export abstract class CheckoutApi {
  /** Takes an order, which is charged, or a cancellation. An invoice is placed once, however often that is asked for. */
  abstract place(request: PlaceRequest, options?: CallOptions): Promise<PlaceResult>;
}
