import { type CallContext, type CallOptions, RpcContract } from '@millrace/rpc';
import { IsInt, IsOptional, IsString } from 'class-validator';

export class ChargeRequest {
  @IsString() orderId!: string;
  @IsInt() cents!: number;
}

export class ChargeResult {
  @IsString() chargeId!: string;
  @IsOptional() @IsInt() attempt?: number;
}

@RpcContract<PaymentsApi>('payments', {
  charge: { input: ChargeRequest, output: ChargeResult, timeout: '3s', idempotent: true },
  quote: { input: ChargeRequest, output: ChargeResult },
  note: { input: ChargeRequest, oneWay: true },
  ping: {},
})
export abstract class PaymentsApi {
  abstract charge(request: ChargeRequest, options?: CallOptions): Promise<ChargeResult>;
  abstract quote(request: ChargeRequest, options?: CallOptions): Promise<ChargeResult>;
  abstract note(request: ChargeRequest): Promise<void>;
  abstract ping(): Promise<void>;
}

/** Remembers its calls; each method does what a test gives it to do. */
export class Payments {
  readonly calls: unknown[][] = [];
  doCharge: (request: ChargeRequest, context: CallContext) => unknown = ({ orderId }) => ({ chargeId: `c-${orderId}` });

  async charge(request: ChargeRequest, context: CallContext): Promise<ChargeResult> {
    this.calls.push(['charge', request, context]);
    return (await this.doCharge(request, context)) as ChargeResult;
  }

  async quote(request: ChargeRequest): Promise<ChargeResult> {
    this.calls.push(['quote', request]);
    return { chargeId: 'none' };
  }

  async note(request: ChargeRequest, context: CallContext): Promise<void> {
    this.calls.push(['note', request, context]);
  }

  async ping(_request: undefined, context: CallContext): Promise<void> {
    this.calls.push(['ping', _request, context]);
  }
}
