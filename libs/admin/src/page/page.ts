import { IsWholeNumber } from '@millrace/core';
import { IsOptional, Length } from 'class-validator';
import { CURSOR_LENGTH, cursorOf } from './cursor.js';

/** A part of a list. A list whose pages are not all read is not complete: what is missing in them may be further on. */
export interface Page<T> {
  readonly items: readonly T[];
  /** How many were looked at for this page, whether they are in it or not. */
  readonly scanned: number;
  /** Whether this is the last page. */
  readonly complete: boolean;
  /** The option `cursor` for the next page; null when this is the last one. */
  readonly nextCursor: string | null;
}

/** The options of a list. */
export class PageOptions {
  /** Most items of a page, 1 to 500. Default 50. A page may have fewer, and none, and not be the last one. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 500 })
  limit?: number = 50;

  /** `nextCursor` of the page before. Default: the first page. */
  @IsOptional() @Length(1, CURSOR_LENGTH)
  cursor?: string;
}

/** The question that a page answers, and where the next one begins: null at the end. */
export interface PageEnd {
  readonly question: string;
  readonly scanned: number;
  readonly position: object | null;
}

export function pageOf<T>(items: readonly T[], { question, scanned, position }: PageEnd): Page<T> {
  return { items, scanned, complete: position === null, nextCursor: position === null ? null : cursorOf(question, position) };
}
