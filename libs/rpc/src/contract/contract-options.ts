import { type Duration, IsDurationOption, IsFunction, IsName, IsOneOf, IsWholeNumber, type PayloadClass, UNKNOWN_PROPERTIES, type UnknownProperties } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';
import { MOST_WINDOW } from '../wire/stream-frame.js';

/** Options of `@RpcContract`: its third argument. */
export class RpcContractOptions {
  /** Instances and callers of one version find each other: 1 to 128 of `A-Z a-z 0-9 . _ -`. Default `'1'`. */
  @IsOptional() @IsName('version')
  version?: string = '1';

  /**
   * The rule for properties that the classes of requests and answers do not declare: `'refuse'`, `'strip'` or `'keep'`. Default:
   * the option of `MillraceModule`, else `'refuse'`.
   */
  @IsOptional() @IsOneOf(UNKNOWN_PROPERTIES)
  unknownProperties?: UnknownProperties;
}

/** Options of one method of `@RpcContract`, beside the classes of its request and answer. */
export class RpcMethodOptions {
  /**
   * How long a caller waits for the answer unless it says so itself, `'1ms'` to `'1h'`; for the whole of a streamed answer, up to
   * `'1d'`. Default `'5s'`.
   */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration = '5s';

  /**
   * Whether the method may be called again with the same effect: then a request is sent again when it may be lost, and a repeated
   * one is answered with the first result. Default false: a request that may have been begun is never executed again.
   */
  @IsOptional() @IsBoolean()
  idempotent?: boolean = false;

  /** Whether a call resolves when Redis has the request, and there is no answer. Default false. */
  @IsOptional() @IsBoolean()
  oneWay?: boolean = false;

  /**
   * For streamed answers: how many items the service may send ahead of those that the caller has taken, 1 to 10 000. Default 64.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: MOST_WINDOW })
  window?: number;
}

/** All that one method of `@RpcContract` says. */
export class RpcMethodRules extends RpcMethodOptions {
  @IsOptional() @IsFunction()
  input?: PayloadClass;

  @IsOptional() @IsFunction()
  output?: PayloadClass;

  @IsOptional() @IsFunction()
  items?: PayloadClass;
}
