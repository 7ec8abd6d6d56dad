import { IsOneOf, IsWholeNumber } from '@millrace/core';
import { IsOptional, IsString } from 'class-validator';

/** The options of `release`. */
export class ReleaseOptions {
  /** The key whose messages are to be handled. Required. */
  @IsString()
  key!: string;

  /**
   * The message at which the key waits: `'retry'`: it begins anew, with all its attempts; `'dead-letter'`: it becomes a dead
   * letter. Default `'retry'`.
   */
  @IsOptional() @IsOneOf(['retry', 'dead-letter'])
  message?: 'retry' | 'dead-letter' = 'retry';
}

/** The options of `goOn`. */
export class GoOnOptions {
  /** The partition that stopped. Required. */
  @IsWholeNumber({ min: 0 })
  partition!: number;

  /** `'retry'`: the message begins anew, with all its attempts; `'dead-letter'`: it becomes a dead letter. Required. */
  @IsOneOf(['retry', 'dead-letter'])
  message!: 'retry' | 'dead-letter';
}
