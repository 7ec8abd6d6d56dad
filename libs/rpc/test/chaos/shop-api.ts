import { type CallOptions, RpcContract } from '@millrace/rpc';
import { IsInt, IsString } from 'class-validator';

/** A request says which call it belongs to, and when its caller gives it up: Unix milliseconds of this machine's clock. */
export class Numbered {
  @IsInt() call!: number;
  @IsInt() deadlineMs!: number;
}

/** An answer names the thing that the call was about. */
export class Answered {
  @IsString() about!: string;
}

/** One method of each kind. */
@RpcContract<ShopApi>('shop', {
  pay: { input: Numbered, output: Answered, idempotent: true },
  slow: { input: Numbered, output: Answered, idempotent: true },
  fail: { input: Numbered, output: Answered, idempotent: true },
  book: { input: Numbered, output: Answered },
  note: { input: Numbered, oneWay: true, idempotent: true },
  tell: { input: Numbered, oneWay: true },
})
export abstract class ShopApi {
  abstract pay(request: Numbered, options?: CallOptions): Promise<Answered>;
  abstract slow(request: Numbered, options?: CallOptions): Promise<Answered>;
  abstract fail(request: Numbered, options?: CallOptions): Promise<Answered>;
  abstract book(request: Numbered, options?: CallOptions): Promise<Answered>;
  abstract note(request: Numbered, options?: CallOptions): Promise<void>;
  abstract tell(request: Numbered, options?: CallOptions): Promise<void>;
}
