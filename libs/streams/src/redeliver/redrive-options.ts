import { DEAD_LETTER_REASONS, IsOneOf, IsWholeNumber, quote } from '@millrace/core';
import { IsBoolean, IsIn, IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';
import { type DeadLetterRecord, UNREADABLE } from './dead-letter-record.js';

/** The largest number in an entry id of Redis: 64 bits. */
const ID = /^\d{1,3}:\d{1,19}-\d{1,19}$/;

/** Most ids in one call, and in its result. */
export const MAX_IDS = 1_000;

/** Selects dead letters. */
export class DeadLetterSelection {
  /** Ids, 1,000 at the most. Default: all that fit the other conditions. */
  @IsOptional() @AreDeadLetterIds()
  ids?: readonly string[];

  /** One partition. Default: all. */
  @IsOptional() @IsWholeNumber({ min: 0 })
  partition?: number;

  /** One of {@link DEAD_LETTER_REASONS}, or `UNREADABLE`. Default: any reason. */
  @IsOptional() @IsOneOf([...DEAD_LETTER_REASONS, UNREADABLE])
  reason?: DeadLetterRecord['reason'];
}

/** Options of `list`. */
export class DeadLetterQuery extends DeadLetterSelection {
  /** How many at the most, 1 to 10,000. Default 100. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  limit?: number = 100;
}

/** Options of `discard`: `ids`, or `all: true`. */
export class DiscardOptions extends DeadLetterSelection {
  /** All dead letters that fit the other conditions. */
  @IsOptional() @IsBoolean()
  all?: boolean;
}

/** Options of `redrive`: `ids`, or `all: true`. */
export class RedriveOptions extends DiscardOptions {
  /** `group`: to the group that gave them up; `topic`: as new messages to every group of the topic. Default `'group'`. */
  @IsOptional() @IsIn(['group', 'topic'])
  to?: 'group' | 'topic' = 'group';

  /** How many a second at the most, 1 to 100,000. Default: no limit. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 100_000 })
  rate?: number;
}

function AreDeadLetterIds(): PropertyDecorator {
  return ValidateBy({
    name: 'areDeadLetterIds',
    validator: {
      validate: (value: unknown) => Array.isArray(value) && value.length <= MAX_IDS && value.every((id) => typeof id === 'string' && ID.test(id)),
      defaultMessage: (given?: ValidationArguments) => idsProblem(given?.value),
    },
  });
}

const SAMPLE = "['0:1726000000000-0']";

function idsProblem(value: unknown): string {
  if (!Array.isArray(value)) return `ids must be a list of ids of dead letters, such as ${SAMPLE}`;
  const wrong: unknown = value.find((id) => typeof id !== 'string' || !ID.test(id));
  if (value.length <= MAX_IDS) return `ids must be ids of dead letters, such as ${SAMPLE}, not ${quote(wrong)}`;
  return `ids must name ${MAX_IDS} dead letters at the most, not ${value.length}: ask for them in parts`;
}
