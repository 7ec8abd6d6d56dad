import { IsFunction, IsDurationOption } from '../options/rules.js';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { type Duration } from '../duration.js';

/** What `@Topic` takes after the name. */
export class TopicOptions<T extends object = object> {
  /** Ordered shards of the topic, 1 to 256; fixed once the topic exists. Default 1. */
  @IsOptional() @IsInt() @Min(1) @Max(256)
  partitions?: number = 1;

  /** Decides the partition: messages with the same key share one. Default: no key, messages spread evenly. */
  @IsOptional() @IsFunction()
  key?: (payload: T) => string | null | undefined;

  /** How long an idempotency key is remembered, at least; at most twice as long. `'1s'` to `'30d'`. Default `'1d'`. */
  @IsOptional() @IsDurationOption({ min: '1s', max: '30d' })
  idempotencyWindow?: Duration = '1d';
}
