import { type Duration, IsDurationOption, IsName } from '@millrace/core';
import { IsInstance, IsObject, IsOptional } from 'class-validator';

/** Options of {@link RemoteMethod.start}. */
export class StartOptions {
  /** How long the call may take, `'1ms'` to `'1d'`. Default: the timeout of the method. */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration;

  /**
   * By which the result is fetched: 1 to 128 of `A-Z a-z 0-9 . _ -`. A call that is started again with an id is sent again, and
   * has its time anew, where the method is idempotent and there is no result yet; else it is not. Default: one of its own.
   */
  @IsOptional() @IsName('call')
  id?: string;

  /** Headers of the request, as those of a message: text by name. Default: the trace of the caller alone. */
  @IsOptional() @IsObject()
  headers?: Record<string, string>;
}

/** Options of {@link CallHandle.result}. */
export class ResultOptions {
  /** How long to wait for the result, `'0ms'` to `'1h'`. Default `'5s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  timeout?: Duration = '5s';

  /** Ends the wait with CALL_CANCELLED when it aborts; the call goes on. */
  @IsOptional() @IsInstance(AbortSignal)
  signal?: AbortSignal;
}

/** Options of {@link RemoteMethod.broadcast}. */
export class BroadcastCallOptions {
  /** How long each instance may take, `'1ms'` to `'1h'`. Default: the timeout of the method. */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1h' })
  timeout?: Duration;

  /** Gives up the calls that are not answered: their instances count as failed. */
  @IsOptional() @IsInstance(AbortSignal)
  signal?: AbortSignal;

  /** Headers of each request. Default: the trace of the caller alone. */
  @IsOptional() @IsObject()
  headers?: Record<string, string>;
}
