import { type CallContext, type CallOptions, RpcContract } from '@millrace/rpc';
import { IsInt, IsString } from 'class-validator';

export class WatchRequest {
  @IsString() symbol!: string;
}

export class Price {
  @IsInt() cents!: number;
}

@RpcContract<PricesApi>('prices', {
  watch: { input: WatchRequest, items: Price, timeout: '1d', window: 8 },
  all: { items: Price },
})
export abstract class PricesApi {
  abstract watch(request: WatchRequest, options?: CallOptions): AsyncIterable<Price>;
  abstract all(): AsyncIterable<Price>;
}

/** Each method does what a test gives it to do. */
export class Prices {
  doWatch: (request: WatchRequest, context: CallContext) => unknown = () => this.all();

  watch(request: WatchRequest, context: CallContext): AsyncIterable<Price> {
    return this.doWatch(request, context) as AsyncIterable<Price>;
  }

  async *all(): AsyncGenerator<Price> {
    for (let cents = 0; cents < 3; cents += 1) yield { cents };
  }
}
