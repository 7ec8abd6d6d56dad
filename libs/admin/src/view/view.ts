import { parseOptions } from '@millrace/core';
import { IsBoolean, IsOptional, ValidateBy } from 'class-validator';
import { plainInput } from '../input/plain-input.js';

const MOST_NAMES = 100;
const NAME = /^[^.\p{C}\p{Z}]{1,128}(?:\.[^.\p{C}\p{Z}]{1,128}){0,16}$/u;

/** The parts of messages and dead letters that somebody may see. */
export class View {
  /** Whether they see payloads, and all that is made of them or quotes them. Default true. */
  @IsOptional() @IsBoolean()
  payloads?: boolean = true;

  /**
   * Fields of payloads and headers that are taken out, in upper or lower case: a name such as `authorization` at any depth, names
   * with dots such as `card.number` wherever the one is in the other, in lists, too. 100 at the most. Default: none.
   */
  @IsOptional() @AreFieldNames()
  redact?: readonly string[] = [];
}

/** @throws MillraceError INVALID_OPTIONS */
export function readView(view: View): Required<View> {
  return parseOptions(View, plainInput(view), 'seenBy()');
}

/** The property is a list of fields, as {@link View} has them. */
export function AreFieldNames(): PropertyDecorator {
  return ValidateBy({
    name: 'areFieldNames',
    validator: {
      validate: (value: unknown) => Array.isArray(value) && value.length <= MOST_NAMES && value.every(isFieldName),
      defaultMessage: () => "redact must be up to 100 names of fields, such as ['authorization', 'card.number'], without spaces",
    },
  });
}

function isFieldName(value: unknown): boolean {
  return typeof value === 'string' && NAME.test(value);
}
