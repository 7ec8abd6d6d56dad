import {
  type Duration, IsDurationOption, IsWholeNumber, type TopicOf, type TransactionCheckContext, type TransactionState,
} from '@millrace/core';
import { IsOptional } from 'class-validator';
import type { Observable } from 'rxjs';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';

/** Options of `@TransactionCheck`: its second argument. */
export class TransactionCheckOptions {
  /** Half messages that this process asks about at once, 1 to 1000. Default 10. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  concurrency?: number = 10;

  /**
   * How long an answer may take, `'100ms'` to `'10m'`: after that `ctx.signal` aborts, and it counts as `'unknown'`. Default
   * `'10s'`.
   */
  @IsOptional() @IsDurationOption({ min: '100ms', max: '10m' })
  timeout?: Duration = '10s';
}

/**
 * Makes a method answer how the transactions of half messages of a topic ended (`Publisher.publishHalf`) that nobody has
 * committed or rolled back in time: `'commit'`, `'rollback'`, or `'unknown'`, to be asked again later and later. It gets the
 * payload and a {@link TransactionCheckContext}. One that throws, or takes too long, counts as `'unknown'`; after `checks` of
 * these the half message is kept, and an operator decides (`Halves`). It is asked in any process of the application that runs
 * handlers, not only in the one that published, and may be asked twice at once when a process stands still: so it looks into
 * what the transaction has written, and remembers nothing itself. Let it answer `'rollback'` only when the transaction cannot
 * succeed any more.
 *
 * Mistakes are reported when the application starts: NOT_A_TOPIC, INVALID_OPTIONS, DUPLICATE_SUBSCRIPTION, CONTRACT_CONFLICT
 * when it names a `@MessageType`: one method answers for all messages of a topic.
 */
export function TransactionCheck<T>(
  topic: TopicOf<T>,
  options: TransactionCheckOptions = {},
): HandlerDecorator<T, TransactionCheckContext, TransactionState | Promise<TransactionState> | Observable<TransactionState>> {
  const declaration = { kind: 'transaction-check', contract: topic, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
