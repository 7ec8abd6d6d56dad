import { IsWholeNumber, parseOptions } from '@millrace/core';
import { IsOptional } from 'class-validator';

export class SourceOptions {
  /**
   * The connections that the library has at most. Handlers with the inbox hold all but one of them at the same time. Default: as
   * the library says, where it does; else nothing is known, and nothing is bounded.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 100_000 })
  connections?: number;
}

/** @throws MillraceError INVALID_OPTIONS */
export function connectionsOf(options: SourceOptions | undefined, source: string): number | undefined {
  return options === undefined ? undefined : parseOptions(SourceOptions, options, `${source}()`).connections;
}
