import { IsWholeNumber } from '@millrace/core';
import { IsOptional } from 'class-validator';
import { IsMetadata, IsTagList } from '../config/instance-tags.js';

/** Options of `@RpcService`: its second argument. */
export class RpcServiceOptions {
  /** How many calls this process executes at once, 1 to 10000. Default 64. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  concurrency?: number = 64;

  /** Its share of the calls beside those of other instances, for callers that choose one: 1 to 1000. Default 100. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  weight?: number;

  /** Tags that callers may choose it by, up to 32 names, beside those of the process. Default: none. */
  @IsOptional() @IsTagList()
  tags?: readonly string[];

  /** Texts for whoever looks at the instance: up to 32, by name, of up to 512 characters. Default: none. */
  @IsOptional() @IsMetadata()
  metadata?: Readonly<Record<string, string>>;
}
