import { type Duration, IsDurationOption, IsWholeNumber } from '@millrace/core';
import { Equals, IsObject, IsOptional } from 'class-validator';
import { SubscribeOptions } from './subscribe-options.js';

/** When messages that wait are handed over. */
export class BatchOptions {
  /** The number of waiting messages that makes a batch at once, 1 to 1000. Default 100. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  size?: number = 100;

  /** How long the first of fewer messages waits before they make a batch, `'0ms'` to `'1m'`. Default `'100ms'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1m' })
  wait?: Duration = '100ms';
}

const NO_INBOX =
  'inbox is not for batches: it makes a message and its effects one transaction, so one message that fails would undo what the ' +
  'others of its batch wrote. Use @Subscribe, or write in a transaction of your own that can be repeated';

/**
 * Options of `@SubscribeBatch`: those of `@Subscribe`, with `timeout` for a whole batch, and without the inbox. With `ordering`
 * a batch has at most one message of each key, or of each partition.
 */
export class SubscribeBatchOptions<Payload = unknown> extends SubscribeOptions<Payload> {
  /** Default up to 100 messages, after 100 ms at the latest. */
  @IsOptional() @IsObject()
  batch?: BatchOptions = {};

  /** Batches at once in this process, 1 to 100. Default 1. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 100 })
  override concurrency?: number = 1;

  /** Not for batches. */
  @IsOptional() @Equals(false, { message: NO_INBOX })
  override inbox?: Exclude<boolean, true> = false;
}
