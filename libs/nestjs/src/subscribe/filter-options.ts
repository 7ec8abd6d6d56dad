import type { MessageFilter } from '@millrace/core';
import { IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';

/**
 * Which messages a handler is for: those that fit every part that is given; of a list, any value fits. All others are
 * acknowledged for the group without the handler, take no slot, and count as filtered.
 */
export class FilterOptions implements MessageFilter {
  /** `{ region: ['eu', 'us'], kind: 'x' }`. A message without the header does not fit. Default: any. */
  @IsOptional() @AreHeaderValues()
  headers?: Readonly<Record<string, string | readonly string[]>>;

  /** The message's key. Default: any, and none. */
  @IsOptional() @AreValues()
  key?: string | readonly string[];

  /** The message's type, as `@MessageType` has it. Default: any, and none. */
  @IsOptional() @AreValues()
  type?: string | readonly string[];
}

function AreValues(): PropertyDecorator {
  return ValidateBy({
    name: 'areValues',
    validator: {
      validate: areValues,
      defaultMessage: (given?: ValidationArguments) => `${given?.property ?? 'it'} must be a string, or a list of one or more strings`,
    },
  });
}

function AreHeaderValues(): PropertyDecorator {
  return ValidateBy({
    name: 'areHeaderValues',
    validator: {
      validate: (value: unknown) =>
        typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(areValues),
      defaultMessage: () => 'headers must be an object with a string, or a list of one or more strings, for each header',
    },
  });
}

/** A list of none would let nothing through. */
function areValues(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 && value.every((item) => typeof item === 'string') : typeof value === 'string';
}
